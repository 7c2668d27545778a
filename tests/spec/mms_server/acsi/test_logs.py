"""Logs: written by their control blocks, read by time and after an entry, kept (IEC 61850-7-2, log model)."""

from typing import Any

import pytest

from mms_server.acsi.log_control.logs import ENTRIES_LIMIT
from mms_server.acsi.persistence import Drop, File, StoredState
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, bare, name, tlv
from tests.support.wire_data import bits, boolean, text, unsigned

LD, LCB = "DEMOLD0", "LLN0$LG$logged"
JOURNAL = tlv(0xA0, name(LD, "LLN0$LD0"))


class Bench:
    """The demo model, whose log control block is enabled with data changes."""

    def __init__(self, engine: Engine | None = None, max_pdu: int = 65_000) -> None:
        self.engine = engine or Engine(DataModel(models.demo()), IDENTITY)
        self.engine.start(CLOCK.now())
        self.client = EngineClient(self.engine, max_pdu)

    def set(self, value: float) -> None:
        self.engine.commit([(self.engine.model.find("LD0/MMXU1.TotW.mag.f"), value)], CLOCK.now())

    def put(self, *pairs: tuple[str, bytes]) -> Any:
        return self.client.write(LD, *((f"{LCB}${key}", data) for key, data in pairs))

    def show(self, attribute: str) -> Any:
        (result,) = self.client.read(LD, f"{LCB}${attribute}")
        return bare(result["success"])

    def query(self, *parts: bytes, journal: bytes = JOURNAL) -> Any:
        return self.client.ask(0xBF41, journal + b"".join(parts))

    def events(self, *values: float) -> None:
        for value in values:
            CLOCK.pass_ms(1000, self.engine)
            self.set(value)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def time_of(ns: int) -> bytes:
    ms, day = divmod(ns // 1_000_000 - 5_113 * 86_400_000, 86_400_000)[::-1]
    return ms.to_bytes(4, "big") + day.to_bytes(2, "big")


def shown(answer: Any) -> list[Any]:
    return [bare(entry["content"]["data"]["variables"][2]["value"])[1:].hex() for entry in answer["entries"]]


@pytest.mark.conformance("LOG-1")
def test_a_change_becomes_an_entry_with_references_data_and_reasons(bench: Bench) -> None:
    assert bench.client.names(8, LD) == ["LLN0$LD0"]
    assert (bench.show("LogEna"), bench.show("LogRef")) == (True, "DEMOLD0/LLN0$LD0")
    bench.events(5.0)
    (entry,) = bench.query()["entries"]
    tags = [one["tag"] for one in entry["content"]["data"]["variables"]]
    assert tags == ["DEMOLD0/MMXU1$MX$TotW", "ReasonCode", "DEMOLD0/MMXU1$MX$TotW$mag$f", "ReasonCode"]
    values = [bare(one["value"]) for one in entry["content"]["data"]["variables"]]
    assert (values[1], values[2][1:].hex()) == ("010000", "40a00000")
    assert bench.show("OldEntr") == bench.show("NewEntr") == entry["entry_id"]
    assert bench.show("NewEntrTm") == entry["content"]["time"]
    bench.events(6.0)
    assert bench.show("OldEntr") == entry["entry_id"] < bench.show("NewEntr")


@pytest.mark.conformance("LOG-2")
def test_entries_are_read_by_time_and_after_an_entry(bench: Bench) -> None:
    start = CLOCK.now().utc_ns
    bench.events(1, 2, 3, 4, 5)
    every = bench.query()["entries"]
    assert len(every) == 5
    second, fourth = time_of(start + 2_000_000_000), time_of(start + 4_000_000_000)
    between = bench.query(tlv(0xA1, tlv(0x80, second)), tlv(0xA2, tlv(0x80, fourth)))
    assert shown(between) == ["40000000", "40400000", "40800000"]
    assert shown(bench.query(tlv(0xA1, tlv(0x80, fourth)))) == ["40800000", "40a00000"]
    spec = tlv(0x80, every[2]["content"]["time"]) + tlv(0x81, every[2]["entry_id"])
    assert shown(bench.query(tlv(0xA5, spec))) == ["40800000", "40a00000"]
    assert shown(bench.query(tlv(0xA1, tlv(0x81, every[3]["entry_id"])), tlv(0xA2, tlv(0x81, b"\x01")))) == ["40800000"]


@pytest.mark.conformance("LOG-2")
def test_the_time_that_a_client_sees_of_an_entry_finds_it(bench: Bench) -> None:
    CLOCK.pass_ms(0.7)  # entries are made between two milliseconds, and show the one before
    bench.events(1, 2, 3)
    CLOCK.pass_ms(0.3)
    every = bench.query()["entries"]
    for until in range(3):
        stop = tlv(0xA2, tlv(0x80, every[until]["content"]["time"]))
        assert len(bench.query(stop)["entries"]) == until + 1
        start = tlv(0xA1, tlv(0x80, every[until]["content"]["time"]))
        assert len(bench.query(start)["entries"]) == 3 - until
        assert len(bench.query(start, stop)["entries"]) == 1


@pytest.mark.conformance("LOG-2")
def test_a_long_log_comes_in_pages() -> None:
    bench = Bench(max_pdu=512)
    bench.events(*range(1, 41))
    found: list[Any] = []
    parts: list[bytes] = []
    while True:
        page = bench.query(*parts)
        found += page["entries"]
        parts = [tlv(0xA5, tlv(0x80, found[-1]["content"]["time"]) + tlv(0x81, found[-1]["entry_id"]))]
        if not page["more_follows"]:
            break
    assert len({entry["entry_id"] for entry in found}) == len(found) == 40


@pytest.mark.conformance("LOG-N1")
def test_an_unknown_log_does_not_exist(bench: Bench) -> None:
    for journal in (name(LD, "LLN0$none"), name("NOLD", "LLN0$LD0"), tlv(0x82, b"x")):
        assert bench.query(journal=tlv(0xA0, journal)) == {"error": {"error": {"access": 2}}}


@pytest.mark.conformance("LOG-N2")
def test_a_block_is_configured_while_it_is_disabled(bench: Bench) -> None:
    assert bench.put(("TrgOps", bits("011000")), ("IntgPd", unsigned(1)), ("DatSet", text(""))) == [2, 2, 2]
    assert bench.put(("LogEna", boolean(False)), ("DatSet", text("DEMOLD0/LLN0$none"))) == ["success", 11]
    bench.events(5.0)
    assert bench.query()["entries"] == []
    assert bench.put(("DatSet", text("")), ("LogEna", boolean(True))) == ["success", 2]
    assert bench.put(("OldEntr", b"\x89\x08" + bytes(8)), ("LogRef", text("x"))) == [3, 3]
    assert bench.put(("DatSet", text("DEMOLD0/LLN0$measured")), ("LogEna", boolean(True))) == ["success"] * 2
    bench.events(6.0)
    assert len(bench.query()["entries"]) == 1


def test_integrity_entries_come_by_their_period(bench: Bench) -> None:
    pairs = [
        ("LogEna", boolean(False)),
        ("TrgOps", bits("000010")),
        ("IntgPd", unsigned(500)),
        ("LogEna", boolean(True)),
    ]
    assert bench.put(*pairs) == ["success"] * 4
    CLOCK.pass_ms(1600, bench.engine)
    entries = bench.query()["entries"]
    assert [len(entry["content"]["data"]["variables"]) for entry in entries] == [8, 8, 8]


def test_a_log_keeps_so_many_entries_and_drops_the_oldest(bench: Bench) -> None:
    for number in range(ENTRIES_LIMIT + 50):
        bench.set(float(number + 1))
    (found,) = bench.engine.behaviour.logs.journals.values()
    assert len(found.entries) == ENTRIES_LIMIT


class Filed:
    """A log whose entries are kept, and what a store has of them once it has carried out what it was told."""

    def __init__(self) -> None:
        self.bench = Bench(Engine(DataModel(models.demo()), IDENTITY, StoredState({}, {})))
        self.kept: dict[int, File] = {}

    def entries(self) -> list[int]:
        for operation in self.bench.engine.persistence.take()[0]:
            if isinstance(operation, File) and operation.block.startswith("log "):
                self.kept[operation.entry_id] = operation
            elif isinstance(operation, Drop) and operation.block.startswith("log "):
                self.kept = {one: filed for one, filed in self.kept.items() if one > operation.entry_id}
        (found,) = self.bench.engine.behaviour.logs.journals.values()
        assert [one.entry_id for one in found.entries] == list(self.kept)
        return list(self.kept)

    def after_restart(self) -> int:
        entries = self.entries()
        block = self.kept[entries[0]].block
        again = Bench(Engine(DataModel(models.demo()), IDENTITY, StoredState({}, {block: list(self.kept.values())})))
        (found,) = again.engine.behaviour.logs.journals.values()
        assert [one.entry_id for one in found.entries] == entries
        return len(entries)


def test_what_a_log_drops_is_dropped_from_the_store_too() -> None:
    filed = Filed()
    for number in range(ENTRIES_LIMIT):
        filed.bench.set(float(number + 1))
    first, second, third, *_ = filed.entries()
    assert len(filed.kept) == ENTRIES_LIMIT
    for oldest in (second, third):
        filed.bench.set(float(-oldest & 0xFFFF))
        assert filed.entries()[0] == oldest
        assert first not in filed.kept
    assert filed.after_restart() == ENTRIES_LIMIT


def test_entries_of_a_log_go_after_ninety_days_from_the_store_too() -> None:
    filed, day_ms = Filed(), 24 * 3600 * 1000
    filed.bench.events(1)
    CLOCK.pass_ms(day_ms)
    filed.bench.events(2)
    old, younger = filed.entries()
    CLOCK.pass_ms(89 * day_ms - 2000)
    filed.bench.set(3)
    assert filed.entries()[:2] == [old, younger]
    CLOCK.pass_ms(1500)
    filed.bench.set(4)
    assert filed.entries()[0] == younger
    CLOCK.pass_ms(day_ms + 1000)
    filed.bench.set(5)
    assert len(filed.entries()) == 3
    assert filed.after_restart() == 3


def test_a_log_survives_a_restart() -> None:
    bench = Bench(Engine(DataModel(models.demo()), IDENTITY, StoredState({}, {})))
    bench.events(1, 2, 3)
    operations, _ = bench.engine.persistence.take()
    filed = [one for one in operations if isinstance(one, File) and one.block.startswith("log ")]
    assert len(filed) == 3
    again = Bench(Engine(DataModel(models.demo()), IDENTITY, StoredState({}, {filed[0].block: filed})))
    assert shown(again.query()) == ["3f800000", "40000000", "40400000"]
    assert again.show("NewEntr") == filed[-1].entry_id.to_bytes(8, "big")


@pytest.mark.conformance("ASS-N7")
@pytest.mark.parametrize("part", [tlv(0xA1, tlv(0x80, b"x")), tlv(0xA5, tlv(0x80, bytes(6))), tlv(0xA7, b"x"), b"\xa1"])
def test_a_range_that_means_nothing_is_rejected(bench: Bench, part: bytes) -> None:
    assert "reject" in bench.query(part)
