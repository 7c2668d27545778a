"""A client without a network: it asks an engine, and every answer passes the oracle and the agreed PDU size."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

from bus.quality import Stamp
from mms_server.acsi.access_callbacks import Call, Verdict
from mms_server.acsi.clients import Client
from mms_server.engine import Engine, Waiting
from mms_server.model.tree import DataModel
from mms_server.services.base import Identity
from tests.support import mms_oracle

IDENTITY = Identity("maker", "model", lambda: "1.0")


def tlv(tag: int, contents: bytes) -> bytes:
    """`contents` under a tag of one or two octets, written without the server's encoder."""
    size, identifier = len(contents), tag.to_bytes(1 if tag < 0x100 else 2, "big")
    if size < 128:
        return identifier + bytes((size,)) + contents
    return identifier + b"\x82" + size.to_bytes(2, "big") + contents


def name(domain: str, item: str) -> bytes:
    """A domain-specific ObjectName."""
    return tlv(0xA1, tlv(0x1A, domain.encode()) + tlv(0x1A, item.encode()))


def variable(domain: str, item: str, access: bytes = b"") -> bytes:
    """One variable of a list; `access` are the selections of its alternate access."""
    return tlv(0x30, tlv(0xA0, name(domain, item)) + (tlv(0xA5, access) if access else b""))


def read_request(*variables: bytes) -> bytes:
    """The body of a Read of listed variables."""
    return tlv(0xA1, tlv(0xA0, b"".join(variables)))


def write_body(domain: str, *pairs: tuple[str, bytes]) -> bytes:
    """The body of a Write of (item, Data)."""
    specification = tlv(0xA0, b"".join(variable(domain, item) for item, _ in pairs))
    return specification + tlv(0xA0, b"".join(data for _, data in pairs))


HERE = "127.0.0.1:50000"


class Clock:
    """Virtual time: both clocks stand still until a test moves them."""

    def __init__(self) -> None:
        self.ns = 1_000_000_000

    def now(self) -> Stamp:
        return Stamp(self.ns, 1_790_000_000_000_000_000 + self.ns)

    def pass_ms(self, milliseconds: float, *engines: Engine) -> None:
        """Let time pass; what is due in `engines` on the way happens at its time."""
        end = self.ns + int(milliseconds * 1_000_000)
        for engine in engines:
            while engine.next_deadline_ns() <= end:
                self.ns = max(self.ns, engine.next_deadline_ns())
                engine.deadline(self.now())
        self.ns = end


CLOCK = Clock()


@dataclass
class Report:
    """A report taken apart by OptFlds, as a client does."""

    rpt_id: str
    opt_flds: str
    sq_num: int | None
    time: bytes | None
    data_set: str | None
    overflow: bool | None
    entry_id: bytes | None
    conf_rev: int | None
    segment: tuple[int, bool] | None
    inclusion: str
    references: list[str]
    values: list[Any]
    reasons: list[str]

    @classmethod
    def of(cls, octets: bytes) -> "Report":
        """The report in a PDU; every field that OptFlds announces, and none besides."""
        content = mms_oracle.decode(octets)["unconfirmed"]["report"]
        assert content["variables"] == {"name": {"vmd": "RPT"}}
        fields = [bare(one["success"]) for one in content["results"]]
        rpt_id, flags, *rest = fields
        assert len(flags) == 10

        def field(bit: int) -> Any:
            return rest.pop(0) if flags[bit] == "1" else None

        sq_num, time, data_set, overflow, entry_id, conf_rev = (field(bit) for bit in (1, 2, 4, 6, 7, 8))
        segment = (rest.pop(0), rest.pop(0)) if flags[9] == "1" else None
        inclusion = rest.pop(0)
        count = inclusion.count("1")
        references = [rest.pop(0) for _ in range(count)] if flags[5] == "1" else []
        values = [rest.pop(0) for _ in range(count)]
        reasons = [rest.pop(0) for _ in range(count)] if flags[3] == "1" else []
        assert rest == []
        parts = (sq_num, time, data_set, overflow, entry_id, conf_rev)
        return cls(rpt_id, flags, *parts, segment, inclusion, references, values, reasons)


def verdict(call: Call) -> Verdict:
    """The verdict of a callback that answers at once."""
    said = call.callback(*call.arguments)
    assert not isinstance(said, Awaitable)
    return said


class EngineClient:
    """One associated client of an engine."""

    def __init__(self, engine: Engine | DataModel, max_pdu: int = 65_000, address: str = HERE) -> None:
        self.engine = Engine(engine, IDENTITY) if isinstance(engine, DataModel) else engine
        self.client = Client(1, address, max_pdu)
        self.engine.opened(self.client)
        self.invoke_id = 0
        self.verdicts: list[Any] = []  # what the embedding program says when it is asked
        self.told: list[bytes] = []  # what came before an answer: LastApplErrors
        self.asked: list[tuple[Any, ...]] = []  # with what it was asked

    def octets(self, tag: int, body: bytes) -> bytes:
        """The PDU that answers, checked for its size."""
        self.invoke_id += 1
        pdu = self.engine.request(self.client, self.invoke_id, tag, body, CLOCK.now())
        if isinstance(pdu, Waiting):
            self.asked += [call.arguments for call in pdu.calls]
            pdu = self.engine.finish(pdu, [verdict(call) for call in pdu.calls], CLOCK.now())
        assert pdu is not None
        assert len(pdu) <= self.client.max_pdu
        self.told += self.client.before_answer
        self.client.before_answer.clear()
        return pdu

    def ask(self, tag: int, body: bytes) -> Any:
        """The answer as the oracle reads it: the service's part of a response, or `{"error": ...}`, `{"reject": ...}`."""
        pdu = mms_oracle.decode(self.octets(tag, body))
        (kind, content), *_ = pdu.items()
        assert content["invoke_id"] == self.invoke_id
        if kind != "response":
            return {kind: content["reason"]}
        ((_, answer),) = content["service"].items()
        return answer

    def read(self, domain: str, *items: str) -> list[Any]:
        """The access results of a Read of those items: each `{"success": data}` or `{"failure": code}`."""
        return list(self.ask(0xA4, read_request(*(variable(domain, item) for item in items)))["results"])

    def write(self, domain: str, *pairs: tuple[str, bytes]) -> list[Any]:
        """The results of a Write: "success" or the code of the failure, one for each (item, Data)."""
        results = self.ask(0xA5, write_body(domain, *pairs))
        return [one.get("failure", "success") for one in results]

    def write_list(self, name_of_list: bytes, *data: bytes) -> Any:
        """The results of a Write of a data set, or what was answered instead."""
        results = self.ask(0xA5, tlv(0xA1, name_of_list) + tlv(0xA0, b"".join(data)))
        return [one.get("failure", "success") for one in results] if isinstance(results, list) else results

    def define(self, name_of_list: bytes, *variables: bytes) -> Any:
        """The answer to DefineNamedVariableList: None if it was made."""
        return self.ask(0xAB, name_of_list + tlv(0xA0, b"".join(variables)))

    def delete(self, *names: bytes) -> Any:
        """The answer to DeleteNamedVariableList."""
        return self.ask(0xAD, tlv(0xA1, b"".join(names)))

    def pdus(self) -> list[bytes]:
        """The PDUs that the engine has for this client, none longer than it takes."""
        found: list[bytes] = []
        while more := self.engine.pull(self.client):
            assert all(len(pdu) <= self.client.max_pdu for pdu in more)
            found += more
        return found

    def reports(self) -> list["Report"]:
        """The PDUs of `pdus`, decoded as reports."""
        return [Report.of(pdu) for pdu in self.pdus()]

    def close(self) -> None:
        """The association ends."""
        self.engine.closed(self.client, CLOCK.now())

    def select(self, domain: str, item: str, access: bytes) -> Any:
        """The one access result of a Read with alternate access."""
        (result,) = self.ask(0xA4, read_request(variable(domain, item, access)))["results"]
        return result

    def type_of(self, domain: str, item: str) -> Any:
        """The answer to GetVariableAccessAttributes."""
        return self.ask(0xA6, tlv(0xA0, name(domain, item)))

    def name_page(self, object_class: int, domain: str | None, after: bytes = b"") -> Any:
        """One page of GetNameList; `domain` None asks for the vmd."""
        scope = tlv(0x80, b"") if domain is None else tlv(0x81, domain.encode())
        body = tlv(0xA0, tlv(0x80, bytes((object_class,)))) + tlv(0xA1, scope)
        return self.ask(0xA1, body + (tlv(0x82, after) if after else b""))

    def names(self, object_class: int, domain: str | None) -> list[str]:
        """All pages of GetNameList, in order."""
        found: list[str] = []
        while True:
            page = self.name_page(object_class, domain, found[-1].encode() if found else b"")
            found += page["names"]
            if not page["more_follows"]:
                return found


def select(choice: bytes, *inner: bytes) -> bytes:
    """A selection of `choice` (as written at the end of one, 81..84) and of `inner` selections within it."""
    if not inner:
        return choice
    return tlv(0xA0, bytes((choice[0] - 1,)) + choice[1:] + tlv(0x30, b"".join(inner)))


def component(text: str) -> bytes:
    """Selects a member by name."""
    return tlv(0x81, text.encode())


def index(number: int) -> bytes:
    """Selects one element."""
    return tlv(0x82, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def index_range(low: int, count: int) -> bytes:
    """Selects `count` elements from `low`."""
    return tlv(0xA3, tlv(0x80, bytes((low,))) + tlv(0x81, bytes((count,))))


ALL_ELEMENTS = tlv(0x84, b"")


def values(results: Sequence[Any]) -> list[Any]:
    """The bare values of successful results: a Data `{"integer": 4}` is 4, a structure a list of such."""
    return [bare(result["success"]) for result in results]


def bare(data: Any) -> Any:
    """A Data without the names of its types."""
    ((kind, value),) = data.items()
    return [bare(one) for one in value] if kind in ("array", "structure") else value
