"""The contract of every service: one answer that fits, whatever the request is, and no change by a refused one."""

import importlib
import pkgutil
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mms_server import services
from mms_server.engine import Engine, Waiting
from mms_server.model.tree import DataModel
from mms_server.services import registry
from mms_server.services.base import Service
from mms_server.stack import ber
from tests.fuzz.mutation import mutated
from tests.support import mms_oracle, models
from tests.support.engine_client import (
    CLOCK,
    IDENTITY,
    EngineClient,
    name,
    read_request,
    tlv,
    variable,
    verdict,
    write_body,
)
from tests.support.wire_data import text, unsigned

LD = "DEMOLD0"
NO_SERVICES = {"base", "registry"}
RESPONSE, ERROR, REJECT = 0xA1, 0xA2, 0xA4
SMALLEST_PDU = 512
MUTATIONS = 60
OBTAINING_MS = 11_000  # a client that does not answer us in time has its ObtainFile refused


def found() -> list[Service]:
    """The SERVICE of every module of the folder, found without the registry."""
    names = [one.name for one in pkgutil.iter_modules(services.__path__) if one.name not in NO_SERVICES]
    return [importlib.import_module(f"{services.__name__}.{one}").SERVICE for one in names]


LLN0 = models.lln0(reports=[models.report("events", buffered=False)])  # nothing happens by time alone
SERVER = models.server(LLN0, models.node(models.MMXU, "1"), models.node(models.MMXU, "2"), models.node(models.GGIO))
SERVICES = sorted(found(), key=lambda one: one.name)


def file(label: str, tag: int = 0xA0) -> bytes:
    return tlv(tag, tlv(0x19, label.encode()))


def number(tag: int) -> int:
    """The number of a context-specific tag of one or two octets."""
    return tag & 0x1F if tag < 0x100 else tag & 0x7F


def number_in(response: bytes) -> int:
    """The number of the service's element behind the invokeID of a response."""
    _, position, end = ber.header(response, 0, len(response))
    _, _, position = ber.header(response, position, end)
    return number(ber.header(response, position, end)[0])


# by name of the service: bodies that a client sends; the first is answered positively by `serving`, once
EXAMPLES: dict[str, list[bytes]] = {
    "defineNamedVariableList": [name(LD, "LLN0$mine") + tlv(0xA0, variable(LD, "MMXU1$MX$TotW$mag$f"))],
    "deleteNamedVariableList": [tlv(0xA1, name(LD, "LLN0$made"))],
    "fileClose": [b"\x01"],
    "fileDelete": [tlv(0x19, b"old.txt")],
    "fileDirectory": [b"", file("many"), file("many", 0xA0) + file("many/05.txt", 0xA1)],
    "fileOpen": [file("large.bin") + b"\x81\x01\x00", file("large.bin") + b"\x81\x02\x7f\xff"],
    "fileRead": [b"\x01"],
    "fileRename": [file("old.txt") + file("new.txt", 0xA1)],
    "getNameList": [
        tlv(0xA0, tlv(0x80, b"\x00")) + tlv(0xA1, tlv(0x81, LD.encode())),
        tlv(0xA0, tlv(0x80, b"\x09")) + tlv(0xA1, tlv(0x80, b"")),
    ],
    "getNamedVariableListAttributes": [name(LD, "LLN0$measured")],
    "getVariableAccessAttributes": [tlv(0xA0, name(LD, "MMXU1$MX$TotW")), tlv(0xA0, name(LD, "GGIO1"))],
    "identify": [b""],
    "obtainFile": [file("theirs.txt", 0xA1) + file("ours.txt", 0xA2)],
    "read": [
        read_request(variable(LD, "MMXU1$MX$TotW$mag$f")),
        read_request(*[variable(LD, "MMXU1"), variable(LD, "LLN0")] * 9),
        tlv(0xA1, tlv(0xA1, name(LD, "LLN0$measured"))),
    ],
    "readJournal": [tlv(0xA0, name(LD, "LLN0$LD0"))],
    "status": [b"\x00"],
    "write": [
        write_body(LD, ("LLN0$DC$NamPlt$vendor", text("me"))),
        write_body(LD, ("LLN0$RP$events01$RptID", text("mine")), ("LLN0$RP$events01$BufTm", unsigned(7))),
    ],
}


class Serving:
    """An engine that offers every service, a client of it, and what the folder of files had at the start."""

    def __init__(self, folder: Path, max_pdu: int = 65_000) -> None:
        self.folder = folder
        (folder / "many").mkdir()
        for number in range(60):
            (folder / "many" / f"{number:02}.txt").write_text("x")
        (folder / "old.txt").write_text("old")
        (folder / "large.bin").write_bytes(bytes(70_000))
        self.engine = Engine(DataModel(SERVER), IDENTITY)
        self.engine.behaviour.files.serve(folder, delete=True, rename=True, obtain=True)
        self.engine.start(CLOCK.now())
        self.client = EngineClient(self.engine, max_pdu)
        assert self.client.define(name(LD, "LLN0$made"), variable(LD, "MMXU1$MX$TotW$q")) is None
        assert self.answers(0xBF48, file("large.bin") + b"\x81\x01\x00")[0][0] == RESPONSE
        power = self.engine.model.find("LD0/MMXU1.TotW.mag.f")
        for value in range(60):
            self.engine.commit([(power, float(value))], CLOCK.now())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.closed(self.client.client, CLOCK.now())

    def answers(self, tag: int, body: bytes) -> list[bytes]:
        """Every PDU that answers one request, those that come by themselves too."""
        client = self.client.client
        self.client.invoke_id += 1
        pdu = self.engine.request(client, self.client.invoke_id, tag, body, CLOCK.now())
        if isinstance(pdu, Waiting):
            pdu = self.engine.finish(pdu, [verdict(call) for call in pdu.calls], CLOCK.now())
        client.before_answer.clear()
        waited = pdu is None
        if waited:
            CLOCK.pass_ms(OBTAINING_MS, self.engine)
        late = [one.pdu for one in self.engine.answers(client)]
        assert waited or not late
        return late if pdu is None else [pdu]

    def answer(self, tag: int, body: bytes) -> bytes:
        """The one answer to a request, checked: it is there once, it is the request's, it fits, it can be read."""
        found = self.answers(tag, body)
        assert len(found) == 1, body.hex()
        (pdu,) = found
        ((kind, content),) = mms_oracle.decode(pdu).items()
        assert (kind in ("response", "error", "reject"), content["invoke_id"]) == (True, self.client.invoke_id)
        assert len(pdu) <= self.client.client.max_pdu, body.hex()
        return pdu

    def state(self) -> Any:
        """All that a request could change."""
        model, client = self.engine.model, self.client.client
        files = {path.relative_to(self.folder): path.stat().st_size for path in self.folder.rglob("*")}
        sets = {domain: sorted(one.data_sets) for domain, one in model.domains.items()}
        kept, ticket = self.engine.persistence.take()
        return list(model.cache.values), sets, sorted(client.data_sets), files, kept, ticket

    def refused_changes_nothing(self, tag: int, body: bytes) -> None:
        """Ask once; where the answer is no, all is as it was before."""
        before = self.state()
        if self.answer(tag, body)[0] != RESPONSE:
            assert self.state() == before, body.hex()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path) as found:
        yield found


def test_every_service_has_its_examples() -> None:
    assert sorted(EXAMPLES) == [one.name for one in SERVICES]


def test_no_two_services_share_a_name_a_tag_or_a_bit() -> None:
    for what in ("name", "tag", "bit"):
        claimed = Counter(getattr(one, what) for one in SERVICES)
        assert [one for one, count in claimed.items() if count > 1] == [], what


def test_the_registry_finds_every_service() -> None:
    assert registry.by_tag() == {one.tag: one for one in SERVICES}


@pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.name)
class TestEveryService:
    def test_its_bit_is_announced_where_it_answers_and_only_there(self, service: Service, serving: Serving) -> None:
        assert service.bit in serving.engine.supported()
        bare = Engine(DataModel(SERVER), IDENTITY)
        assert (service.bit in bare.supported()) is not (service.needs_files or service.needs_obtain)
        pdu = EngineClient(bare).octets(service.tag, EXAMPLES[service.name][0])
        assert (pdu[0] == REJECT) is (service.bit not in bare.supported())

    def test_its_example_is_answered_though_broken_ones_came_before(self, service: Service, serving: Serving) -> None:
        body = EXAMPLES[service.name][0]
        for end in range(len(body)):
            if service.name != "write":
                serving.refused_changes_nothing(service.tag, body[:end])
        pdu = serving.answer(service.tag, body)
        if service.needs_obtain:
            assert pdu[0] == ERROR  # its client has never given us the file
        else:
            assert pdu[0] == RESPONSE
            assert number_in(pdu) == number(service.tag)

    def test_a_body_that_is_empty_or_cut_anywhere_has_one_answer(self, service: Service, serving: Serving) -> None:
        for body in EXAMPLES[service.name]:
            for end in range(len(body)):
                serving.refused_changes_nothing(service.tag, body[:end])

    def test_a_body_with_an_octet_behind_it_has_one_answer(self, service: Service, serving: Serving) -> None:
        for body in EXAMPLES[service.name]:
            for more in (b"\x00", b"\x80", b"\xff", b"\x30\x00"):
                serving.refused_changes_nothing(service.tag, body + more)

    def test_garbage_has_one_answer(self, service: Service, serving: Serving) -> None:
        @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
        @given(st.binary(max_size=80))
        def ask(body: bytes) -> None:
            serving.refused_changes_nothing(service.tag, body)

        ask()

    def test_what_is_nearly_right_has_one_answer(self, service: Service, serving: Serving) -> None:
        chance = random.Random(service.tag)
        for _ in range(MUTATIONS):
            serving.refused_changes_nothing(service.tag, mutated(chance.choice(EXAMPLES[service.name]), chance))

    @pytest.mark.parametrize("max_pdu", [SMALLEST_PDU, 1024, 65_000])
    def test_no_answer_is_longer_than_was_agreed(self, service: Service, tmp_path: Path, max_pdu: int) -> None:
        with Serving(tmp_path, max_pdu) as small:
            for body in EXAMPLES[service.name]:
                assert small.answer(service.tag, body)[0] in (RESPONSE, ERROR)
