"""Files that clients put on the server: fetched from them, whole or not at all (ISO 9506-2 annex D, ObtainFile)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mms_server.acsi.behaviour import NEVER
from mms_server.acsi.file_transfer import set_file
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import mms_oracle, models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, tlv

OBTAIN = 0xBF2E
OPEN, READ, CLOSE = b"\xbf\x48", b"\x9f\x49", b"\x9f\x4a"


def file_name(tag: int, text: str) -> bytes:
    return tlv(tag, tlv(0x19, text.encode()))


@dataclass
class Offering:
    """A client with a file: it asks us to obtain it, and serves it when it is asked itself."""

    content: bytes
    piece: int = 100
    silent_after: int = 1 << 30
    asked: list[bytes] = field(default_factory=list)
    position: int = 0

    def answer(self, element: bytes) -> tuple[int | None, bytes] | None:
        """Its answer to one of our requests; None if it does not answer any more."""
        self.asked.append(element)
        if len(self.asked) > self.silent_after:
            return None
        if element[:2] == OPEN:
            return 0xBF48, b"\x80\x02\x01\x00\xa1\x05\x80\x03\x00\x00\x00"
        if element[:2] == READ:
            piece = self.content[self.position : self.position + self.piece]
            self.position += len(piece)
            return 0xBF49, tlv(0x80, piece) + (b"\x81\x01\x00" if self.position == len(self.content) else b"")
        return 0x9F4A, b""


def engine_with(folder: Path, *, obtain: bool = True, delete: bool = False, **own: Path) -> EngineClient:
    engine = Engine(DataModel(models.demo()), IDENTITY, own_folders=own)
    engine.behaviour.files.serve(folder, delete=delete, rename=False, obtain=obtain)
    return EngineClient(engine)


def ask(client: EngineClient, destination: str, source: str = "mine.txt") -> Any:
    """The answer to ObtainFile as far as there is one at once."""
    client.invoke_id += 1
    body = file_name(0xA1, source) + file_name(0xA2, destination)
    pdu = client.engine.request(client.client, client.invoke_id, OBTAIN, body, CLOCK.now())
    assert not isinstance(pdu, tuple)
    return None if pdu is None else answered(pdu)  # type: ignore[arg-type]


def answered(pdu: bytes) -> Any:
    ((kind, content),) = mms_oracle.decode(pdu).items()
    return content["service"] if kind == "response" else {kind: content["reason"]}


def served(client: EngineClient, offering: Offering) -> Any:
    """The answer to ObtainFile, once the client has served what it is asked for; None if none has come."""
    while client.engine.receivers():
        found = client.engine.answers(client.client)
        for element in client.engine.asks(client.client):
            said = offering.answer(element)
            if said is not None:
                client.engine.answered(client.client, *said, CLOCK.now())
        if found:
            return answered(found[0].pdu)
    return None


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.conformance("FT-4")
@pytest.mark.parametrize("octets", [0, 1, 100, 101, 12_345])
def test_a_client_puts_a_file_on_the_server(tmp_path: Path, octets: int) -> None:
    client, offering = engine_with(tmp_path), Offering(bytes(range(256)) * 50)
    offering.content = offering.content[:octets]
    assert ask(client, "settings/new.txt") is None
    assert served(client, offering) == {"obtain_file": None}
    assert offering.asked[0] == OPEN + b"\x0f" + file_name(0xA0, "mine.txt") + b"\x81\x01\x00"
    assert offering.asked[1] == READ + b"\x02\x01\x00"
    assert offering.asked[-1] == CLOSE + b"\x02\x01\x00"
    assert left(tmp_path) == ["settings", "settings/new.txt"]
    assert (tmp_path / "settings" / "new.txt").read_bytes() == offering.content


@pytest.mark.conformance("FT-N4")
def test_what_is_not_switched_on_is_not_offered(tmp_path: Path) -> None:
    client = engine_with(tmp_path, obtain=False)
    assert ask(client, "new.txt") == {"reject": {"confirmed_request": 1}}
    assert 46 not in client.engine.supported()
    assert 46 in engine_with(tmp_path).engine.supported()


@pytest.mark.conformance("FT-N4")
@pytest.mark.parametrize(
    "name", ["../out", "/../out", "a/../../out", "..\\out", "way-out/out", "a\0b", "", ".", "x" * 300, ".obtaining-1"]
)
def test_nothing_is_written_outside_the_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "files"
    inside.mkdir()
    (inside / "way-out").symlink_to(tmp_path)
    client = engine_with(inside)
    assert ask(client, name) == {"error": {"error": {"file": 7}}}
    assert client.engine.receivers() == []
    assert left(tmp_path) == ["files", "files/way-out"]


@pytest.mark.conformance("FT-N4")
def test_a_file_that_is_there_is_replaced_only_where_deleting_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("old")
    client = engine_with(tmp_path)
    assert ask(client, "old.txt") == {"error": {"error": {"file": 8}}}
    client = engine_with(tmp_path, delete=True)
    assert ask(client, "old.txt") is None
    assert served(client, Offering(b"new")) == {"obtain_file": None}
    assert (tmp_path / "old.txt").read_bytes() == b"new"


def test_the_servers_own_files_are_never_written(tmp_path: Path) -> None:
    client = engine_with(tmp_path, delete=True, audit=tmp_path / "elsewhere")
    for name in ("audit/audit.jsonl", "events/DEMOLD0_LD0.csv", "events/new.txt"):
        assert ask(client, name) == {"error": {"error": {"file": 6}}}


@pytest.mark.conformance("FT-N5")
@pytest.mark.parametrize("silent_after", [0, 1, 2])
def test_a_client_that_never_answers_loses_its_transfer_and_nothing_else(tmp_path: Path, silent_after: int) -> None:
    client, offering = engine_with(tmp_path), Offering(b"x" * 500, silent_after=silent_after)
    assert ask(client, "new.txt") is None
    assert served(client, offering) is None
    other = EngineClient(client.engine)
    assert client.read("DEMOLD0", "LLN0$ST$Mod$stVal")[0]["success"] == {"integer": 1}
    assert ask(client, "second.txt") == {"error": {"error": {"file": 2}}}
    assert ask(other, "other.txt") is None
    assert served(other, Offering(b"whole")) == {"obtain_file": None}
    CLOCK.pass_ms(9_999, client.engine)
    assert client.engine.receivers() == []
    CLOCK.pass_ms(1, client.engine)
    assert served(client, offering) == {"error": {"error": {"file": 0}}}
    assert left(tmp_path) == ["other.txt"]
    assert client.engine.behaviour.set_file.next_deadline_ns() == NEVER


@pytest.mark.conformance("FT-N5")
def test_a_client_that_answers_drop_by_drop_has_ten_minutes(tmp_path: Path) -> None:
    client, offering = engine_with(tmp_path), Offering(b"x" * 500, piece=1)
    assert ask(client, "new.txt") is None
    answers: list[Any] = []
    for _ in range(70):
        answers += [answered(one.pdu) for one in client.engine.answers(client.client)]
        for element in client.engine.asks(client.client):
            said = offering.answer(element)
            assert said is not None
            client.engine.answered(client.client, *said, CLOCK.now())
        CLOCK.pass_ms(9_000, client.engine)
    assert answers == [{"error": {"error": {"file": 0}}}]
    assert offering.asked[-1][:2] == CLOSE
    assert left(tmp_path) == []


@pytest.mark.conformance("FT-N5")
def test_a_file_that_is_too_large_is_dropped(tmp_path: Path) -> None:
    client = engine_with(tmp_path)
    offering = Offering(bytes(set_file.OCTETS_LIMIT + 1), piece=60_000)
    assert ask(client, "new.txt") is None
    assert served(client, offering) == {"error": {"error": {"file": 9}}}
    assert left(tmp_path) == []


@pytest.mark.conformance("FT-N5")
@pytest.mark.parametrize(
    ("said", "code"),
    [((None, b""), 7), ((0xBF48, b"\x80\x09\x01"), 0), ((0xBF49, b"\x80\x01\x01"), 0), ((0xBF48, b""), 0)],
)
def test_a_client_that_answers_no_or_nonsense_has_offered_nothing(
    tmp_path: Path, said: tuple[int | None, bytes], code: int
) -> None:
    client = engine_with(tmp_path)
    assert ask(client, "new.txt") is None
    client.engine.asks(client.client)
    client.engine.answered(client.client, *said, CLOCK.now())
    (one,) = client.engine.answers(client.client)
    assert answered(one.pdu) == {"error": {"error": {"file": code}}}
    assert left(tmp_path) == []


def test_a_client_that_goes_leaves_no_half_file(tmp_path: Path) -> None:
    client, offering = engine_with(tmp_path), Offering(b"x" * 500, silent_after=3)
    assert ask(client, "new.txt") is None
    served(client, offering)
    assert left(tmp_path) == [".obtaining-1"]
    client.close()
    assert left(tmp_path) == []
    assert client.engine.receivers() == []


def test_half_a_file_is_not_seen_and_that_of_a_killed_process_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".obtaining-7").write_text("half")
    client = engine_with(tmp_path, delete=True)
    page = client.ask(0xBF4D, b"")
    assert page["entries"] == []
    assert ask(client, "new.txt") is None
    assert left(tmp_path) == [".obtaining-1"]
    client.close()


def test_a_client_that_takes_no_requests_is_not_asked(tmp_path: Path) -> None:
    client = engine_with(tmp_path)
    client.client.takes_requests = False
    assert ask(client, "new.txt") == {"error": {"error": {"resource": 4}}}


@pytest.mark.parametrize("body", [b"", b"\xa1\x00", b"\xa1\x00\xa1\x00", b"\x30\x00", b"\xa1"])
def test_an_argument_that_means_nothing_is_rejected(tmp_path: Path, body: bytes) -> None:
    assert set(engine_with(tmp_path).ask(OBTAIN, body)) == {"reject"}


def test_a_file_of_a_third_party_is_not_to_be_had(tmp_path: Path) -> None:
    body = tlv(0xA0, b"") + file_name(0xA1, "a") + file_name(0xA2, "b")
    assert engine_with(tmp_path).ask(OBTAIN, body) == {"error": {"error": {"file": 7}}}
