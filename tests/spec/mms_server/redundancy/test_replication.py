"""Replication to the standby: messages are lost, doubled and started anew, and in the end both stores are equal."""

import random
import sqlite3
import tempfile
from collections import deque
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.state_schema import FIRST, SCHEMA, NewerStateError
from mms_server.acsi.persistence import ID_BLOCK, Drop, File, Operation, Put
from mms_server.redundancy.messages import Ack, Begin, Rows, decode, encode
from mms_server.redundancy.replica import Replica, begin_above
from mms_server.redundancy.replication import PATIENCE_S, Action, Changed, Copy, CopyState, Release, Replication, Send
from mms_server.storage.store import Store
from mms_server.storage.tables import SCHEMA as TABLES
from mms_server.storage.tables import carry_out, piece
from tests.support.state import number_of_store

UTC = 1_800_000_000_000_000_000
MEMORY = Path("/dev/shm")  # thousands of commits do not wait for a disk that others use


class Pairing:
    """A store in memory, the stream from it, and a replica on the disk; the test decides what arrives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ours = sqlite3.connect(":memory:", isolation_level=None)
        self.ours.executescript(TABLES)
        self.now = 0.0
        self.ticket = self.stored = 0
        self.said: list[bool] = []  # whether the standby follows, at each change
        self.there: deque[bytes] = deque()
        self.back: deque[Ack] = deque()
        self.replication = Replication("IED", self.now)
        self.replica = Replica(folder, "IED")

    def write(self, *operations: Operation) -> None:
        for operation in operations:
            carry_out(self.ours, operation)
        self.ticket += len(operations)
        self._do(self.replication.committed(operations, self.ticket, self.now))

    def _do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            match action:
                case Send(message):
                    self.there.append(encode(message))
                case Copy(place):
                    stream = self.replication.stream
                    self._do(self.replication.copied(stream, *piece(self.ours, place), self.now))
                case Release(ticket):
                    self.stored = max(self.stored, ticket)
                case Changed(follows):
                    self.said.append(follows)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self._do(self.replication.tick(self.now, UTC + int(self.now * 1e9)))

    def arrive(self, times: int = 1) -> None:
        """Deliver the oldest message, so many times."""
        if self.there:
            frame = self.there.popleft()
            for _ in range(times):
                message = decode(frame)
                assert isinstance(message, Begin | Rows)
                ack = self.replica.begin(message) if isinstance(message, Begin) else self.replica.take(message)
                if ack is not None:
                    self.back.append(ack)

    def answer(self, times: int = 1) -> None:
        if self.back:
            ack = self.back.popleft()
            for _ in range(times):
                self._do(self.replication.heard(ack, self.now))

    def restart_ours(self) -> None:
        self.replication = Replication("IED", self.now)
        self.stored = self.ticket  # a new process finds it on its own disk
        self.there.clear()
        self.back.clear()

    def restart_theirs(self) -> None:
        self.replica.close()
        self.replica = Replica(self._folder, "IED")
        self.back.clear()

    def settle(self) -> None:
        """Lose nothing more, until the standby has all."""
        for _ in range(100):
            while self.there or self.back:
                self.arrive()
                self.answer()
            if self.replication.state is CopyState.IN_STEP and self.replica.complete:
                self.pass_time(PATIENCE_S)
                self.arrive()
                self.answer()
                if self.replication.state is CopyState.IN_STEP and not self.there and self.replica.complete:
                    return
            self.pass_time(PATIENCE_S)
        raise AssertionError(f"never in step: {self.replication.state}")


def rows(database: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [database.execute(f"SELECT * FROM {table}").fetchall() for table in ("kept", "entries")]


def theirs(folder: Path) -> list[list[tuple[object, ...]]]:
    with sqlite3.connect(folder / "IED.sqlite") as database:
        found = rows(database)
    database.close()
    return found


def some_operations(chance: random.Random, entry_id: int) -> list[Operation]:
    blocks = ["LD0/LLN0$BR$a01", "LD0/LLN0$BR$b01", "log LD0/LLN0$l"]
    return [
        chance.choice(
            [
                Put("rcb", chance.choice("abc"), chance.choice([None, bytes([chance.randrange(256)])])),
                File(chance.choice(blocks), entry_id + number, UTC, bytes(chance.choice([3, 700_000]))),
                Drop(chance.choice(blocks), chance.randrange(max(entry_id, 1))),
            ]
        )
        for number in range(chance.randrange(1, 4))
    ]


@pytest.mark.conformance("GW-10")
@given(st.integers(0, 1 << 32))
def test_whatever_happens_on_the_way_both_have_the_same_in_the_end(seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        pairing = Pairing(Path(name))
        for step in range(60):
            match chance.choices(range(8), (8, 12, 12, 2, 1, 1, 1, 4))[0]:
                case 0:
                    pairing.write(*some_operations(chance, 4 * step))
                case 1:
                    pairing.arrive(chance.choice([1, 1, 1, 2]))
                case 2:
                    pairing.answer(chance.choice([1, 1, 1, 2]))
                case 3 if pairing.there:
                    pairing.there.popleft()
                case 4 if pairing.back:
                    pairing.back.popleft()
                case 5:
                    pairing.restart_ours()
                case 6:
                    pairing.restart_theirs()
                case _:
                    pairing.pass_time(chance.choice([0.1, PATIENCE_S]))
        pairing.settle()
        assert theirs(Path(name)) == rows(pairing.ours)
        assert pairing.stored == pairing.ticket
        pairing.replica.close()


@pytest.fixture
def pairing(tmp_path: Path) -> Pairing:
    """In step, with one entry."""
    made = Pairing(tmp_path)
    made.write(File("b", 1, UTC, b"x"))
    made.settle()
    return made


@pytest.mark.conformance("GW-10")
def test_in_step_nothing_counts_as_stored_before_the_standby_has_it(pairing: Pairing, tmp_path: Path) -> None:
    before = pairing.stored
    pairing.write(File("b", 2, UTC, b"y"))
    pairing.arrive()
    assert pairing.stored == before
    assert theirs(tmp_path)[1][-1] == ("b", 2, UTC, b"y")
    pairing.answer()
    assert pairing.stored == pairing.ticket


def test_a_standby_that_is_gone_holds_reports_up_for_a_second_and_is_told_of_once(pairing: Pairing) -> None:
    pairing.write(File("b", 2, UTC, b"y"))
    pairing.pass_time(PATIENCE_S / 2)
    assert pairing.stored < pairing.ticket
    pairing.pass_time(PATIENCE_S / 2)
    assert pairing.stored == pairing.ticket
    pairing.write(File("b", 3, UTC, b"z"))
    assert pairing.stored == pairing.ticket
    assert pairing.said == [True, False]


def test_a_copy_that_is_not_whole_leaves_the_one_before_it(pairing: Pairing, tmp_path: Path) -> None:
    before = theirs(tmp_path)
    pairing.restart_ours()
    pairing.write(File("b", 2, UTC, bytes(2_000_000)), File("b", 3, UTC, b"z"))
    pairing.pass_time(PATIENCE_S)
    pairing.arrive()  # Begin
    pairing.answer()
    pairing.arrive()  # the first piece
    assert not pairing.replica.complete
    pairing.replica.close()
    assert theirs(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["IED.sqlite", "state.json"]


@pytest.mark.conformance("GW-10")
def test_after_a_takeover_entry_ids_go_on_above_all_that_were_given(pairing: Pairing, tmp_path: Path) -> None:
    of_its_time = (UTC // 1_000_000) << 20
    pairing.write(
        Put("state", "next_id", (of_its_time + ID_BLOCK).to_bytes(8, "big")), Put("state", "ended", b"running")
    )
    pairing.settle()
    pairing.replica.close()
    later = UTC + 60 * 10**9
    begin_above(tmp_path, "IED", later)
    store = Store(tmp_path, "IED")
    found = store.load()
    store.close()
    assert found.next_id == (later // 1_000_000) << 20 > of_its_time + ID_BLOCK
    assert not found.clean  # what happened meanwhile is unknown: the first event says so


def test_where_the_clock_is_behind_the_ids_that_are_kept_count(pairing: Pairing, tmp_path: Path) -> None:
    ahead = ((UTC // 1_000_000 + 3_600_000) << 20) + ID_BLOCK
    pairing.write(Put("state", "next_id", ahead.to_bytes(8, "big")))
    pairing.settle()
    pairing.replica.close()
    begin_above(tmp_path, "IED", UTC)
    store = Store(tmp_path, "IED")
    assert store.load().next_id == ahead
    store.close()


def test_the_copy_has_the_schema_number_of_the_store_that_it_is_of(pairing: Pairing, tmp_path: Path) -> None:
    pairing.write(Put("rcb", "a", b"x"))
    pairing.settle()
    pairing.replica.close()
    assert number_of_store(tmp_path / "IED.sqlite") == SCHEMA


def test_a_stream_of_a_newer_program_is_refused_and_the_copy_before_it_stays(pairing: Pairing, tmp_path: Path) -> None:
    pairing.write(Put("rcb", "a", b"x"))
    pairing.settle()
    before = theirs(tmp_path)
    with pytest.raises(
        NewerStateError, match=rf"store of IED that the other gateway sends has schema number {SCHEMA + 1}"
    ):
        pairing.replica.begin(Begin("IED", 1 << 62, SCHEMA + 1))
    assert not pairing.replica.complete
    assert theirs(tmp_path) == before
    assert pairing.replica.take(Rows("IED", 1 << 62, 1, ())) is None


class BeginOfTheFirstVersion(msgspec.Struct, frozen=True, array_like=True, tag="begin"):
    """Begin as 0.1.0 knows it."""

    ied: str
    stream: int


def test_the_first_version_and_this_one_understand_each_other() -> None:
    frame = encode(Begin("IED", 7, SCHEMA))
    assert msgspec.msgpack.decode(frame[2:], type=BeginOfTheFirstVersion) == BeginOfTheFirstVersion("IED", 7)
    assert decode(frame[:2] + msgspec.msgpack.encode(BeginOfTheFirstVersion("IED", 7))) == Begin("IED", 7, FIRST)
