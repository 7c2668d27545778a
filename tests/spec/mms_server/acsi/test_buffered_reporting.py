"""Reports of buffered blocks, in virtual time: nothing is lost in silence (IEC 61850-7-2 BRCB)."""

import struct
from typing import Any

import pytest

from mapping.model import ClientLn, ReportControl
from mms_server.acsi.persistence import Drop, File, Put, StoredState
from mms_server.acsi.reporting.entry_buffer import BufferLimits, Entry, EntryBuffer
from mms_server.engine import Engine
from mms_server.mms.report import Body
from mms_server.model.tree import DataModel
from tests.spec.mms_server.acsi.test_reporting import ALL_FIELDS, ALL_TRIGGERS, DCHG, GI, INTEGRITY, LD, Bench, members
from tests.support import models
from tests.support.engine_client import IDENTITY, EngineClient, Report
from tests.support.wire_data import bits, boolean, octets, text, unsigned

BRCB = "LLN0$BR$history01"
ATTRIBUTES = {"BufTm": unsigned(0), "TrgOps": bits(ALL_TRIGGERS), "OptFlds": bits(ALL_FIELDS), "IntgPd": unsigned(0)}
START = octets(bytes(8))


class Buffered(Bench):
    """A bench whose block has all triggers and no BufTm, and is not enabled."""

    def __init__(self, engine: Engine | None = None) -> None:
        super().__init__(engine)
        pairs = [(f"{BRCB}${key}", data) for key, data in ATTRIBUTES.items()]
        assert self.client.write(LD, *pairs) == ["success"] * 4

    def put(self, *pairs: tuple[str, bytes], client: EngineClient | None = None) -> list[Any]:
        return self.write(*pairs, block=BRCB, client=client)

    def events(self, *values: float) -> None:
        for value in values:
            self.set(f=value)

    def show(self, attribute: str) -> Any:
        return self.read(attribute, BRCB)

    def reconnect(self) -> None:
        self.client.close()
        self.client = EngineClient(self.engine)


def shown(reports: list[Report]) -> list[float]:
    """The value of the second member in each report."""
    return [struct.unpack(">f", report.values[members(report).index(1)][1:])[0] for report in reports]


@pytest.fixture
def bench() -> Buffered:
    return Buffered()


@pytest.mark.conformance("BR-1..3, 8")
def test_a_buffered_block_has_its_attributes_in_order_and_its_reports_their_entry_ids(bench: Buffered) -> None:
    described = bench.client.type_of(LD, BRCB)["type"]["structure"]["components"]
    assert [one["name"] for one in described] == [
        "RptID", "RptEna", "DatSet", "ConfRev", "OptFlds", "BufTm", "SqNum", "TrgOps", "IntgPd", "GI", "PurgeBuf",
        "EntryID", "TimeofEntry", "ResvTms",
    ]  # fmt: skip
    bench.put(("RptEna", boolean(True)))
    bench.events(1, 2)
    first, second = bench.reports()
    assert (first.sq_num, second.sq_num, first.overflow) == (0, 1, False)
    assert first.entry_id is not None
    assert second.entry_id is not None
    assert 0 < int.from_bytes(first.entry_id, "big") < int.from_bytes(second.entry_id, "big")
    assert bench.show("EntryID") == second.entry_id
    assert bench.show("TimeofEntry") == second.time


@pytest.mark.conformance("BR-4a", "BR-5")
def test_it_buffers_from_the_start_and_sends_from_the_oldest(bench: Buffered) -> None:
    bench.events(1, 2, 3)
    assert bench.put(("RptEna", boolean(True))) == ["success"]
    bench.events(4)
    reports = bench.reports()
    assert shown(reports) == [1, 2, 3, 4]
    assert [report.sq_num for report in reports] == [0, 1, 2, 3]
    assert not any(report.overflow for report in reports)


@pytest.mark.conformance("BR-4a")
def test_without_triggers_it_buffers_nothing(bench: Buffered) -> None:
    bench.put(("TrgOps", bits("000000")))
    bench.events(1, 2)
    bench.put(("RptEna", boolean(True)))
    assert bench.reports() == []


@pytest.mark.conformance("BR-4")
def test_a_client_that_comes_back_goes_on_where_it_was(bench: Buffered) -> None:
    bench.put(("RptEna", boolean(True)))
    bench.events(1, 2)
    last = bench.reports()[-1].entry_id
    bench.reconnect()
    bench.events(3, 4)
    assert last is not None
    assert bench.put(("EntryID", octets(last)), ("RptEna", boolean(True))) == ["success"] * 2
    bench.events(5)
    reports = bench.reports()
    assert shown(reports) == [3, 4, 5]
    assert [report.sq_num for report in reports] == [0, 1, 2]
    assert not any(report.overflow for report in reports)


@pytest.mark.conformance("BR-5", "BR-6")
@pytest.mark.parametrize("written", [[], [("EntryID", START)]])
def test_without_an_entry_id_or_with_zeros_it_begins_with_the_oldest(
    bench: Buffered, written: list[tuple[str, bytes]]
) -> None:
    bench.put(("RptEna", boolean(True)))
    bench.events(1, 2)
    bench.reports()
    bench.reconnect()
    bench.events(3)
    bench.put(*written, ("RptEna", boolean(True)))
    assert shown(bench.reports()) == [1, 2, 3]


@pytest.mark.conformance("BR-7")
def test_what_does_not_fit_the_buffer_is_told_once_by_bufovfl(bench: Buffered) -> None:
    count = 3000
    bench.events(*range(1, count + 1))
    bench.put(("RptEna", boolean(True)))
    reports = bench.reports()
    assert 100 < len(reports) < count
    assert shown(reports) == [float(number) for number in range(count - len(reports) + 1, count + 1)]
    assert [report.overflow for report in reports] == [True] + [False] * (len(reports) - 1)


@pytest.mark.conformance("BR-7", "BR-16")
def test_entries_that_were_sent_are_no_loss_when_they_go(bench: Buffered) -> None:
    bench.put(("RptEna", boolean(True)))
    for number in range(3000):
        bench.events(number + 1)
        if number % 100 == 99:
            assert not any(report.overflow for report in bench.reports())
    last = bench.show("EntryID")
    bench.reconnect()
    bench.put(("EntryID", octets(last)), ("RptEna", boolean(True)))
    bench.events(-1)
    assert [(report.overflow, value) for report, value in zip(*_pair(bench.reports()), strict=True)] == [(False, -1.0)]


def _pair(reports: list[Report]) -> tuple[list[Report], list[float]]:
    return reports, shown(reports)


@pytest.mark.conformance("BR-9")
def test_purgebuf_empties_the_buffer_while_the_block_is_disabled(bench: Buffered) -> None:
    bench.events(1, 2)
    assert bench.put(("PurgeBuf", boolean(True))) == ["success"]
    assert (bench.show("PurgeBuf"), bench.show("EntryID")) == (False, bytes(8))
    bench.put(("RptEna", boolean(True)))
    bench.events(3)
    assert bench.put(("PurgeBuf", boolean(True))) == [2]
    assert shown(bench.reports()) == [3]


@pytest.mark.conformance("BR-10")
@pytest.mark.parametrize(
    ("attribute", "data", "left"),
    [
        ("RptID", text("other"), 0),
        ("BufTm", unsigned(5), 0),
        ("TrgOps", bits("010000"), 0),
        ("IntgPd", unsigned(60_000), 0),
        ("DatSet", text(""), 0),
        ("OptFlds", bits("0111111111"), 2),
        ("BufTm", unsigned(0), 2),
        ("TrgOps", bits(ALL_TRIGGERS), 2),
        ("DatSet", text("DEMOLD0/LLN0$measured"), 2),
    ],
)
def test_a_change_of_meaning_purges_the_buffer_and_the_same_value_does_not(
    bench: Buffered, attribute: str, data: bytes, left: int
) -> None:
    bench.events(1, 2)
    assert bench.put((attribute, data)) == ["success"]
    if attribute == "DatSet":
        assert bench.put(("DatSet", text("DEMOLD0/LLN0$measured"))) == ["success"]
    bench.put(("RptEna", boolean(True)))
    assert len(bench.reports()) == left


@pytest.mark.conformance("BR-11")
def test_of_several_interrogations_only_the_newest_is_sent(bench: Buffered) -> None:
    bench.put(("RptEna", boolean(True)))
    for number in range(3):
        bench.put(("GI", boolean(True)))
        bench.events(number + 1.0)
        bench.pass_ms(1)
    reports = bench.reports()
    assert [report.reasons[0] for report in reports] == [DCHG, DCHG, GI, DCHG]


@pytest.mark.conformance("BR-11")
def test_an_interrogation_that_was_answered_keeps_its_place_for_a_client_that_resumes_there(bench: Buffered) -> None:
    bench.put(("RptEna", boolean(True)), ("GI", boolean(True)))
    (report,) = bench.reports()
    bench.reconnect()
    bench.events(1)
    assert report.entry_id is not None
    assert bench.put(("EntryID", octets(report.entry_id)), ("RptEna", boolean(True))) == ["success"] * 2
    assert shown(bench.reports()) == [1]


@pytest.mark.conformance("BR-12")
def test_integrity_reports_are_buffered_like_events(bench: Buffered) -> None:
    bench.put(("IntgPd", unsigned(1000)))
    bench.reconnect()
    bench.pass_ms(3500)
    bench.put(("RptEna", boolean(True)))
    assert [report.reasons for report in bench.reports()] == [[INTEGRITY] * 4] * 3


@pytest.mark.conformance("BR-13")
def test_a_reservation_outlives_its_client_for_resvtms_and_serves_the_same_address_meanwhile(bench: Buffered) -> None:
    assert bench.put(("ResvTms", unsigned(20))) == ["success"]
    bench.put(("RptEna", boolean(True)))
    bench.client.close()
    stranger = EngineClient(bench.engine, address="10.0.0.9:40000")
    bench.pass_ms(19_000)
    assert bench.put(("RptEna", boolean(True)), client=stranger) == [2]
    bench.client = EngineClient(bench.engine)
    assert bench.put(("RptEna", boolean(True))) == ["success"]
    bench.client.close()
    bench.pass_ms(20_000)
    bench.client = stranger
    assert bench.show("ResvTms") == 0
    assert bench.put(("RptEna", boolean(True)), client=stranger) == ["success"]


@pytest.mark.conformance("BR-13")
def test_a_reservation_that_nobody_asked_for_lasts_ten_seconds(bench: Buffered) -> None:
    bench.put(("RptEna", boolean(True)))
    assert bench.show("ResvTms") == 10
    bench.client.close()
    stranger = EngineClient(bench.engine, address="10.0.0.9:40000")
    assert bench.put(("RptEna", boolean(True)), client=stranger) == [2]
    bench.pass_ms(10_000)
    assert bench.put(("RptEna", boolean(True)), client=stranger) == ["success"]


@pytest.mark.conformance("BR-14", "BR-N3")
def test_resvtms_is_not_negative_and_not_written_where_a_client_is_assigned(bench: Buffered) -> None:
    assert bench.put(("ResvTms", b"\x85\x01\xff")) == [11]
    client = ClientLn("SCADA", "AP1", "LD0", "", "IHMI", "1", "127.0.0.1")
    assigned = ReportControl("history", True, True, 1, None, "measured", 1, 0, 0, 0b011000, 0, (client,))
    server = models.server(models.lln0(reports=(assigned,)), models.node(models.MMXU), models.node(models.GGIO))
    other = Bench(Engine(DataModel(server), IDENTITY))
    assert other.read("ResvTms", BRCB) == -1
    assert other.write(("ResvTms", unsigned(5)), ("RptEna", boolean(True)), block=BRCB) == [3, "success"]
    other.client.close()
    other.client = EngineClient(other.engine)
    assert other.read("ResvTms", BRCB) == -1


@pytest.mark.conformance("BR-N1", "BR-N2")
def test_an_entry_id_that_is_not_there_is_refused_and_the_next_report_says_that_something_is_missing(
    bench: Buffered,
) -> None:
    bench.events(1)
    assert bench.put(("EntryID", octets(b"\x01" * 8)), ("EntryID", octets(b"\x01" * 7))) == [11, 11]
    bench.put(("RptEna", boolean(True)))
    assert bench.put(("EntryID", START)) == [2]
    bench.events(2)
    assert [report.overflow for report in bench.reports()] == [True, False]


@pytest.mark.conformance("BR-N4", "BR-N5", "BR-N6")
def test_the_refusals_of_an_unbuffered_block_hold(bench: Buffered) -> None:
    stranger = EngineClient(bench.engine, address="10.0.0.9:40000")
    assert bench.put(("RptEna", boolean(True)), client=stranger) == [2]
    assert bench.put(("TimeofEntry", b"\x8c\x06" + bytes(6))) == [3]
    assert bench.put(("DatSet", text("")), ("RptEna", boolean(True))) == ["success", 2]


def test_a_window_that_is_open_when_the_client_goes_is_kept(bench: Buffered) -> None:
    bench.put(("BufTm", unsigned(100)), ("RptEna", boolean(True)))
    bench.events(1)
    bench.reconnect()
    bench.pass_ms(500)
    bench.put(("RptEna", boolean(True)))
    assert shown(bench.reports()) == [1]


@pytest.mark.conformance("BR-8")
def test_an_entry_shows_what_was_when_it_happened(bench: Buffered) -> None:
    bench.events(1, 2)
    bench.set(q=0b01 << 11)
    bench.put(("RptEna", boolean(True)))
    first, second, third = bench.reports()
    assert [report.values[0][1] for report in (first, second, third)] == ["0" * 13, "0" * 13, "01" + "0" * 11]


# ---------------------------------------------------------------------- with a store


def restarted(engine: Engine, *, clean: bool, lost_tail: int = 0) -> Engine:
    """The engine that a new process makes from what the old one had stored."""
    operations, _ = engine.persistence.take()
    stored = StoredState({}, {}, clean=clean)
    for operation in operations[: len(operations) - lost_tail]:
        match operation:
            case Put("state", _, bytes(value)):
                stored.next_id = int.from_bytes(value, "big")
            case Put(kind, key, bytes(value)):
                stored.values.setdefault(kind, {})[key] = value
            case Put(kind, key, None):
                stored.values.get(kind, {}).pop(key, None)
            case File(block):
                stored.entries.setdefault(block, []).append(operation)
            case Drop():
                kept = [one for one in stored.entries[operation.block] if one.entry_id > operation.entry_id]
                stored.entries[operation.block] = kept
    return Engine(DataModel(models.demo()), IDENTITY, stored)


@pytest.fixture
def durable() -> Buffered:
    return Buffered(Engine(DataModel(models.demo()), IDENTITY, StoredState({}, {})))


@pytest.mark.conformance("BR-15")
def test_an_entry_is_sent_when_it_is_stored_and_not_before(durable: Buffered) -> None:
    durable.put(("RptEna", boolean(True)))
    durable.events(1)
    assert durable.reports() == []
    _, ticket = durable.engine.persistence.take()
    durable.events(2)
    durable.engine.stored(ticket)
    assert shown(durable.reports()) == [1]
    durable.engine.stored(durable.engine.persistence.take()[1])
    assert durable.engine.receivers() == [durable.client.client]
    assert shown(durable.reports()) == [2]


@pytest.mark.conformance("BR-15")
def test_after_a_restart_a_client_goes_on_with_its_entry_id_and_none_is_given_twice(durable: Buffered) -> None:
    durable.put(("RptEna", boolean(True)))
    durable.events(1, 2)
    durable.engine.stored(1000)
    first, second = durable.reports()
    again = Bench(restarted(durable.engine, clean=True))
    assert first.entry_id is not None
    assert again.write(("EntryID", octets(first.entry_id)), ("RptEna", boolean(True)), block=BRCB) == ["success"] * 2
    again.set(f=3.0)
    again.engine.stored(1000)
    reports = again.reports()
    assert (shown(reports), reports[0].entry_id) == ([2, 3], second.entry_id)
    assert reports[1].entry_id not in (first.entry_id, second.entry_id)


@pytest.mark.conformance("BR-15", "GW-3")
@pytest.mark.parametrize("clean", [True, False])
def test_the_buffer_and_what_clients_have_configured_survive_the_process(durable: Buffered, clean: bool) -> None:
    durable.events(1, 2, 3)
    again = Bench(restarted(durable.engine, clean=clean))
    assert again.read("TrgOps", BRCB) == ALL_TRIGGERS
    assert again.write(("RptEna", boolean(True)), block=BRCB) == ["success"]
    again.set(f=9.0)
    again.engine.stored(again.engine.persistence.take()[1])
    reports = again.reports()
    assert shown(reports) == [1, 2, 3, 9]
    assert [report.overflow for report in reports] == [False, False, False, not clean]
    ids = [report.entry_id for report in reports if report.entry_id is not None]
    assert ids == sorted(set(ids))


def test_entries_of_another_data_set_are_not_sent_as_if_they_were_of_this_one(durable: Buffered) -> None:
    durable.events(1, 2)
    operations, _ = durable.engine.persistence.take()
    entries = {"DEMOLD0/LLN0$BR$history01": [one for one in operations if isinstance(one, File)]}
    again = Bench(Engine(DataModel(models.demo()), IDENTITY, StoredState({"rcb members": {}}, entries)))
    again.write(("TrgOps", bits(ALL_TRIGGERS)), ("RptEna", boolean(True)), block=BRCB)
    assert again.reports() == []


def test_a_damaged_entry_is_left_out_and_told() -> None:
    with pytest.raises(ValueError, match=r"^parts that go past their end$"):
        Entry.restored(File("b", 1, 0, b"\x00\x00\x00\x00\x09x"))
    with pytest.raises(ValueError, match=r"a row without Data"):
        Entry.restored(File("b", 1, 0, b"\x00\x00\x00\x00\x02xx"))
    entry = Entry(5, Body(((3, 16), (0, 8)), (b"\x83\x01\x01", b"\x85\x01\x05")), True, 9)
    assert Entry.restored(File("b", 9, 5, entry.content())) == entry


def test_a_buffer_keeps_its_order_through_thousands_of_entries() -> None:
    buffer = EntryBuffer(BufferLimits(64_000))
    for number in range(1, 5001):
        buffer.add(Entry(number, Body(((0, 16),), (b"\x83\x01\x01",)), entry_id=number))
    assert (len(buffer), buffer.lost) == (64_000 // 67, True)
    assert not buffer.resume(1)
    assert buffer.resume(4998)
    found = []
    while (entry := buffer.peek()) is not None:
        found.append(entry.entry_id)
        buffer.sent()
    assert found == [4999, 5000]


def test_entries_go_by_their_age_too() -> None:
    buffer, second = EntryBuffer(BufferLimits(64_000, age_s=10)), 1_000_000_000
    for number in range(1, 31):
        buffer.add(Entry(number * second, Body(((0, 16),), (b"\x83\x01\x01",)), entry_id=number))
    assert (len(buffer), buffer.lost) == (11, True)
    first = buffer.peek()
    assert first is not None
    assert first.entry_id == 20


@pytest.mark.parametrize("resumes", [True, False])
def test_a_client_that_resumes_at_an_entry_that_is_there_is_told_of_no_loss_before_it(resumes: bool) -> None:
    limits = BufferLimits(4000)
    bench = Buffered(Engine(DataModel(models.demo()), IDENTITY, None, buffers=limits))
    for first in (1, 100):  # it overflows twice
        bench.events(*(float(first + number) for number in range(60)))
        entry = bench.show("EntryID")
        written = [("EntryID", octets(entry))] if resumes else []
        assert bench.put(*written, ("RptEna", boolean(True)))[-1] == "success"
        bench.events(first + 70.0, first + 71.0)
        reports = bench.reports()
        assert [report.overflow for report in reports] == [not resumes, *[False] * (len(reports) - 1)]
        assert (len(reports) == 2) is resumes
        bench.put(("RptEna", boolean(False)))


def test_an_interrogation_that_was_replaced_is_no_loss_when_it_leaves_the_buffer_and_the_newest_is() -> None:
    def entry(number: int, *, interrogation: bool = False) -> Entry:
        return Entry(number, Body(((0, 16),), (bytes(36),)), interrogation, number)

    buffer = EntryBuffer(BufferLimits(3 * 100))
    for number in (1, 2):
        buffer.add(entry(number, interrogation=True))
    buffer.add(entry(3))
    assert (buffer.add(entry(4)), buffer.lost) == (1, False)  # the first interrogation was replaced by the second
    assert (buffer.add(entry(5)), buffer.lost) == (2, True)
    first = buffer.peek()
    assert first is not None
    assert first.entry_id == 3


@pytest.mark.parametrize("block", [BRCB, "LLN0$RP$events01"])
def test_the_integrity_period_of_a_buffered_block_runs_on_and_that_of_another_begins_when_it_is_enabled(
    bench: Buffered, block: str
) -> None:
    attributes = ATTRIBUTES | {"TrgOps": bits("000010"), "IntgPd": unsigned(1000)}
    bench.write(*attributes.items(), block=block)
    for _ in range(2):
        bench.pass_ms(600)
        bench.write(("RptEna", boolean(True)), block=block)
        bench.reports()
        bench.pass_ms(399 if block == BRCB else 999)
        assert bench.reports() == []
        bench.pass_ms(1)
        assert [report.reasons for report in bench.reports()] == [[INTEGRITY] * 4]
        bench.write(("RptEna", boolean(False)), block=block)


def test_a_reservation_that_was_given_back_is_nobodys_though_the_client_that_had_it_goes_later(bench: Buffered) -> None:
    stranger = EngineClient(bench.engine, address="10.0.0.9:40000")
    for client, other in ((bench.client, stranger), (stranger, EngineClient(bench.engine))):
        assert bench.put(("ResvTms", unsigned(20)), ("ResvTms", unsigned(0)), client=client) == ["success"] * 2
        client.close()
        bench.client = other
        assert bench.show("ResvTms") == 0
        assert bench.put(("ResvTms", unsigned(5)), ("ResvTms", unsigned(0)), client=other) == ["success"] * 2
