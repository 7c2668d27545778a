"""Reporting: from changes of values to reports, for every report control block of a server (IEC 61850-7-2, -8-1).

    changes of a commit ──► blocks whose data sets hold them ──► entry at once, or a window of BufTm
    IntgPd, GI ───────────────────────────────────────────────► entry of the whole data set, events before it first
    entry ──► URCB: PDUs in its client's outbox, dropped whole if that is full (SqNum shows the gap)
          └─► BRCB: buffer, and the store; sent in order when stored and when the client takes more

One commit gives at most one entry in each block. A second event of a member within a window ends the window first.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from bus.quality import Stamp
from mapping.model import FC, Setting
from mms_server.acsi import persisted_values
from mms_server.acsi.behaviour import NEVER, Behaviour
from mms_server.acsi.clients import Client
from mms_server.acsi.persistence import Drop, File, Persistence, Put, StoredState
from mms_server.acsi.reporting import rcb
from mms_server.acsi.reporting.dispatch import Dispatch
from mms_server.acsi.reporting.entry_buffer import BufferLimits, Entry, EntryBuffer
from mms_server.acsi.reporting.rcb import DataSetBlocks, ReportControlBlock
from mms_server.acsi.reporting.trigger_index import TriggerIndex
from mms_server.mms.report import Body
from mms_server.model.cache import Changes
from mms_server.model.datasets import DataSet
from mms_server.model.tree import UNKNOWN, DataModel, PlacedNode

MEMORY_OCTETS: Final = 128 * 1024  # of one BRCB without a store
STORED_OCTETS: Final = 1024 * 1024  # of one BRCB with a store
SHORTEST_INTEGRITY_MS: Final = 20
TIMERS_OF_A_BLOCK: Final = 8  # it never needs more than three: the rest is over
KIND: Final = "rcb"
SIGNATURE: Final = "rcb members"
KEPT: Final = ("RptID", "DatSet", "ConfRev", "OptFlds", "BufTm", "TrgOps", "IntgPd")
"""Attributes of a BRCB that survive a restart when a client has written them."""

Find = Callable[[Client | None, str], DataSet | None]


class Reporting(Behaviour):
    """All report control blocks. `find` resolves a data set's name as clients write it into DatSet."""

    def __init__(
        self,
        model: DataModel,
        find: Find,
        persistence: Persistence,
        stored: StoredState | None,
        dispatch: Dispatch,
        limits: BufferLimits | None,
    ) -> None:
        self._model = model
        self._find = find
        self._persistence = persistence
        self._trigger_index = TriggerIndex(model)
        self.dispatch = dispatch
        self._timers: list[tuple[int, int, ReportControlBlock]] = []
        self._numbers = count()
        self.blocks: dict[int, ReportControlBlock] = {}  # by slot
        limits = limits or BufferLimits(MEMORY_OCTETS if stored is None else STORED_OCTETS)
        for placed in model.nodes():
            for slot, block in _blocks_of(model, placed, limits):
                self.blocks[slot] = block
        self._start(stored)

    def _start(self, stored: StoredState | None) -> None:
        for block in self.blocks.values():
            block.release()
            written = {} if stored is None else stored.values.get(KIND, {})
            for name in KEPT if block.buffered else ():
                octets = written.get(f"{block.path}${name}")
                if octets is not None:
                    persisted_values.restore(self._model, block.slots[name], octets)
            self.attach(block)
            if block.buffer is not None and stored is not None:
                self._refill(block, block.buffer, stored)
                self.sign(block)

    def _refill(self, block: ReportControlBlock, buffer: EntryBuffer, stored: StoredState) -> None:
        filed = stored.entries.get(block.path, [])
        known = stored.values.get(SIGNATURE, {}).get(block.path)
        if filed and known != _signature(block):
            self._persistence.add(Drop(block.path, filed[-1].entry_id))
            buffer.lost, filed = True, []  # of another data set: nobody could tell what they mean
        for one in filed:
            try:
                buffer.add(Entry.restored(one))
            except ValueError:
                buffer.lost = True  # a damaged row: the client is told that something is missing
        buffer.gap = not stored.clean and block.listens
        self.show_newest(block, buffer)

    def sign(self, block: ReportControlBlock) -> None:
        """Store the signature of the data set whose members the buffer's entries have."""
        self._persistence.add(Put(SIGNATURE, block.path, _signature(block)))

    # ------------------------------------------------------------------ which leaf concerns whom

    def attach(self, block: ReportControlBlock) -> None:
        """Resolve the block's DatSet, and monitor its members if the block does."""
        self._trigger_index.attach(block, self._find(block.owner, str(block.get("DatSet"))))

    def detach(self, block: ReportControlBlock) -> None:
        """Take its data set from the block."""
        self._trigger_index.detach(block)

    def uses(self, data_set: DataSet) -> bool:
        """True if a block has `data_set` as its DatSet."""
        return any(self._find(block.owner, str(block.get("DatSet"))) is data_set for block in self.blocks.values())

    # ------------------------------------------------------------------ events

    def changed(self, changes: Changes, now: Stamp) -> None:
        """Report the changes of one commit."""
        for data_set_blocks, members in self._trigger_index.touched(changes):
            self._events(data_set_blocks, members, now)

    def _events(self, data_set_blocks: DataSetBlocks, members: dict[int, int], now: Stamp) -> None:
        """Make entries for the blocks of one data set; those with the same triggers share a body."""
        bodies: dict[int, Body] = {}  # by the triggers that count
        seen = 0
        for reason in members.values():
            seen |= reason
        for block in tuple(data_set_blocks.blocks):
            triggers = block.triggers & seen
            if not triggers:
                continue
            body = bodies.get(triggers)
            if body is None:
                body = bodies[triggers] = self._body(data_set_blocks.data_set, members, triggers)
            self._event(block, body, now)

    def _body(self, data_set: DataSet, members: dict[int, int], triggers: int) -> Body:
        read, there = self._model.cache.read, data_set.members
        reasons = sorted((member, reason & triggers) for member, reason in members.items() if reason & triggers)
        return Body(tuple(reasons), tuple([read(there[member].slot) for member, _ in reasons]))

    def _event(self, block: ReportControlBlock, body: Body, now: Stamp) -> None:
        window_ms = block.number("BufTm")
        if window_ms == 0 and not block.pending:
            self._file(block, Entry(now.utc_ns, body), now)
            return
        if not block.pending.keys().isdisjoint(member for member, _ in body.members):
            self.flush(block, now)
        for (member, reason), data in zip(body.members, body.data, strict=True):
            block.pending[member] = (reason, data)
        if window_ms == 0:
            self.flush(block, now)
        elif not block.window_until_ns:
            block.window_until_ns = now.monotonic_ns + window_ms * 1_000_000
            self.wake(block.window_until_ns, block)

    def flush(self, block: ReportControlBlock, now: Stamp) -> None:
        """End the window of BufTm: the events in it become an entry."""
        block.window_until_ns = 0
        if not block.pending:
            return
        pending = sorted(block.pending.items())
        block.pending = {}
        members = tuple((member, reason) for member, (reason, _) in pending)
        self._file(block, Entry(now.utc_ns, Body(members, tuple(data for _, (_, data) in pending))), now)

    def whole(self, block: ReportControlBlock, reason: int, now: Stamp) -> None:
        """Make an entry of every member (GI, integrity); earlier events go first."""
        self.flush(block, now)
        if block.data_set is None:
            return
        read = self._model.cache.read
        data = tuple(read(member.slot) for member in block.data_set.members)
        members = tuple((number, reason) for number in range(len(data)))
        self._file(block, Entry(now.utc_ns, Body(members, data), interrogation=reason == rcb.GI), now)

    def _file(self, block: ReportControlBlock, entry: Entry, now: Stamp) -> None:
        if block.buffer is None:
            self.dispatch.report(block, entry)
            return
        entry.entry_id = self._persistence.new_id(now.utc_ns)
        entry.after_gap, block.buffer.gap = block.buffer.gap, False
        entry.ticket = self._persistence.add(File(block.path, entry.entry_id, entry.time_ns, entry.content()))
        had_lost = block.buffer.lost
        gone = block.buffer.add(entry)
        if gone is not None:
            self._persistence.add(Drop(block.path, gone))
        if block.buffer.lost and not had_lost:
            self.dispatch.note(block.owner, block, "overflow")
        if not block.enabled:
            self.show_newest(block, block.buffer)
        elif block.owner is not None:
            self.dispatch.wake(block.owner)

    def show_newest(self, block: ReportControlBlock, buffer: EntryBuffer) -> None:
        """Show the newest entry in EntryID and TimeofEntry."""
        newest = buffer.newest
        if newest is not None and not block.resumed:
            block.set("EntryID", newest.entry_id.to_bytes(8, "big"))
            block.set("TimeofEntry", newest.time_ns)

    # ------------------------------------------------------------------ time

    def wake(self, at_ns: int, block: ReportControlBlock) -> None:
        """Look at `block` again at `at_ns` of the monotonic clock."""
        if len(self._timers) >= TIMERS_OF_A_BLOCK * len(self.blocks):
            self._timers = [
                (due_ns, next(self._numbers), one) for one in self.blocks.values() for due_ns in one.times() if due_ns
            ]
            heapq.heapify(self._timers)
            return
        heapq.heappush(self._timers, (at_ns, next(self._numbers), block))

    def next_deadline_ns(self) -> int:
        """The monotonic time at which `deadline` is to be called; NEVER if nothing is due."""
        return self._timers[0][0] if self._timers else NEVER

    def deadline(self, now: Stamp) -> None:
        """Let time pass: windows end, integrity reports are due, reservations lapse."""
        while self._timers and self._timers[0][0] <= now.monotonic_ns:
            _, _, block = heapq.heappop(self._timers)
            if block.window_until_ns and block.window_until_ns <= now.monotonic_ns:
                self.flush(block, now)
            if block.integrity_at_ns and block.integrity_at_ns <= now.monotonic_ns:
                self.whole(block, rcb.INTEGRITY, now)
                self._next_integrity(block, now)
            if block.held_for is not None and block.held_until_ns <= now.monotonic_ns:
                block.release()
                self.dispatch.note(None, block, "released")

    def start(self, now: Stamp) -> None:
        """Begin the integrity periods of the blocks that listen from the start."""
        for block in self.blocks.values():
            self.restart_integrity(block, now)

    def restart_integrity(self, block: ReportControlBlock, now: Stamp) -> None:
        """Begin the integrity period anew, or end it, as IntgPd and TrgOps now say."""
        period_ms = block.number("IntgPd")
        block.integrity_at_ns = 0
        if block.listens and period_ms and block.triggers & rcb.INTEGRITY:
            block.integrity_at_ns = now.monotonic_ns + max(period_ms, SHORTEST_INTEGRITY_MS) * 1_000_000
            self.wake(block.integrity_at_ns, block)

    def _next_integrity(self, block: ReportControlBlock, now: Stamp) -> None:
        period_ns = max(block.number("IntgPd"), SHORTEST_INTEGRITY_MS) * 1_000_000
        missed = (now.monotonic_ns - block.integrity_at_ns) // period_ns
        block.integrity_at_ns += (missed + 1) * period_ns
        self.wake(block.integrity_at_ns, block)

    def keep(self, block: ReportControlBlock, name: str) -> None:
        """Store the attribute `name`, which a client has written."""
        for one in (name, "ConfRev") if name == "DatSet" else (name,):
            if one in KEPT:
                persisted_values.keep(self._persistence, KIND, f"{block.path}${one}", self._model, block.slots[one])

    def purge(self, block: ReportControlBlock) -> None:
        """Empty the buffer of a BRCB."""
        assert block.buffer is not None  # noqa: S101 - only BRCBs have PurgeBuf
        newest = block.buffer.newest
        if newest is not None:
            self._persistence.add(Drop(block.path, newest.entry_id))
        block.buffer.purge()
        block.pending, block.window_until_ns, block.resumed = {}, 0, False
        block.set("EntryID", bytes(8))
        block.set("TimeofEntry", 0)
        self.dispatch.note(block.owner, block, "purged")


def _signature(block: ReportControlBlock) -> bytes:
    """The signature of the block's data set: a hash of the references of its members."""
    members = block.data_set.members if block.data_set is not None else ()
    return hashlib.sha256("\n".join(member.reference for member in members).encode()).digest()


def _blocks_of(model: DataModel, placed: PlacedNode, limits: BufferLimits) -> Iterator[tuple[int, ReportControlBlock]]:
    settings = model.server.services.report_settings
    fixed: dict[str, Setting] = {
        "DatSet": settings.dat_set,
        "RptID": settings.rpt_id,
        "OptFlds": settings.opt_fields,
        "BufTm": settings.buf_time,
        "TrgOps": settings.trg_ops,
        "IntgPd": settings.intg_pd,
    }
    above = f"{placed.domain.name.decode()}/{placed.name.decode()}"
    for source in placed.source.reports:
        fc = FC.BR if source.buffered else FC.RP
        for number, name in enumerate(source.instance_names()):
            slot = placed.domain.slot(placed.name + f"${fc.value}${name}".encode("ascii", "replace"))
            if slot == UNKNOWN:
                continue
            node = model.node(slot)
            slots = {child.name.decode(): slot + child.index - node.index for child in node.children}
            client = source.clients[number] if number < len(source.clients) else None
            yield (
                slot,
                ReportControlBlock(
                    model,
                    f"{above}${fc.value}${name}",
                    slots,
                    source,
                    fixed,
                    EntryBuffer(limits) if source.buffered else None,
                    client if client is not None and client.address is not None else None,
                ),
            )
