"""Reporting: from changes of values to reports, for every report control block of a server (IEC 61850-7-2, -8-1).

    changes of a commit ──► blocks whose data sets hold them ──► entry at once, or a window of BufTm
    IntgPd, GI ───────────────────────────────────────────────► entry of the whole data set, events before it first
    entry ──► URCB: PDUs in its client's outbox, dropped whole if that is full (SqNum shows the gap)
          └─► BRCB: buffer, and the journal; sent in order when stored and when the client takes more

One commit gives at most one entry in each block. A second event of a member within a window ends the window first.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from bus.quality import Now
from mapping.model import FC, Setting
from mms_server.acsi import kept, rcb
from mms_server.acsi.clients import Client
from mms_server.acsi.entries import BufferLimits, Entry, EntryBuffer
from mms_server.acsi.journal import Drop, File, Journal, Put, Stored
from mms_server.acsi.rcb import Listeners, ReportControlBlock
from mms_server.mms import report
from mms_server.mms.errors import DataAccessError
from mms_server.mms.report import Body
from mms_server.model.cache import Changes
from mms_server.model.datasets import DataSet
from mms_server.model.tree import UNKNOWN, DataModel, PlacedNode

MEMORY_OCTETS: Final = 128 * 1024  # of one BRCB without a store
STORED_OCTETS: Final = 1024 * 1024  # of one BRCB with a store
SHORTEST_INTEGRITY_MS: Final = 20
TURN_OCTETS: Final = 128 * 1024  # of buffered reports in one turn of a client
NEVER: Final = 1 << 63
KIND: Final = "rcb"
SIGNATURE: Final = "rcb members"
KEPT: Final = ("RptID", "DatSet", "ConfRev", "OptFlds", "BufTm", "TrgOps", "IntgPd")
"""Attributes of a BRCB that survive a restart when a client has written them."""

Find = Callable[[Client | None, str], DataSet | None]
Notice = tuple[Client | None, str, str]


class Reporting:
    """All report control blocks. `find` resolves a data set's name as clients write it into DatSet."""

    def __init__(
        self, model: DataModel, find: Find, journal: Journal, stored: Stored | None, limits: BufferLimits | None = None
    ) -> None:
        self._model = model
        self._find = find
        self._journal = journal
        self._index: dict[int, list[tuple[Listeners, int]]] = {}  # leaf -> who listens, and as which member it counts
        self._listeners: dict[int, Listeners] = {}  # by the identity of the data set
        self._held: dict[Client, list[ReportControlBlock]] = {}
        self._timers: list[tuple[int, int, ReportControlBlock]] = []
        self._numbers = count()
        self._blocks: dict[int, ReportControlBlock] = {}  # by the slot of the block
        self._attributes: dict[int, tuple[ReportControlBlock, str]] = {}  # by the slot of the attribute
        self._ready: set[Client] = set()
        self._unsafe: set[Client] = set()  # what they wait for is not stored yet
        self.notices: list[Notice] = []
        limits = limits or BufferLimits(MEMORY_OCTETS if stored is None else STORED_OCTETS)
        for placed in model.nodes():
            for slot, block in _blocks_of(model, placed, limits):
                self._blocks[slot] = block
                self._attributes |= {own: (block, name) for name, own in block.slots.items()}
        self._start(stored)

    def _start(self, stored: Stored | None) -> None:
        for block in self._blocks.values():
            block.release()
            written = {} if stored is None else stored.values.get(KIND, {})
            for name in KEPT if block.buffered else ():
                octets = written.get(f"{block.path}${name}")
                if octets is not None:
                    kept.restore(self._model, block.slots[name], octets)
            self._attach(block)
            if block.buffer is not None and stored is not None:
                self._refill(block, block.buffer, stored)
                self._sign(block)

    def _refill(self, block: ReportControlBlock, buffer: EntryBuffer, stored: Stored) -> None:
        filed = stored.entries.get(block.path, [])
        known = stored.values.get(SIGNATURE, {}).get(block.path)
        if filed and known != _signature(block):
            self._journal.add(Drop(block.path, filed[-1].entry_id))
            buffer.lost, filed = True, []  # of another data set: nobody could tell what they mean
        for one in filed:
            try:
                buffer.add(Entry.restored(one))
            except ValueError:
                buffer.lost = True  # a damaged row: the client is told that something is missing
        buffer.gap = not stored.clean and block.listens
        self._show_newest(block, buffer)

    def _sign(self, block: ReportControlBlock) -> None:
        """Keep of which members the buffer's entries are."""
        self._journal.add(Put(SIGNATURE, block.path, _signature(block)))

    # ------------------------------------------------------------------ which leaf concerns whom

    def _attach(self, block: ReportControlBlock) -> None:
        """Find the block's data set anew, and listen to its members if the block does."""
        self._detach(block)
        block.data_set = self._find(block.owner, str(block.get("DatSet")))
        if not block.listens or block.data_set is None:
            return
        listeners = self._listeners.get(id(block.data_set)) or self._listened_to(block.data_set)
        listeners.blocks.append(block)
        block.listeners = listeners

    def _listened_to(self, data_set: DataSet) -> Listeners:
        """From now on the changes of `data_set` are told to its blocks."""
        listeners = self._listeners[id(data_set)] = Listeners(data_set)
        for number, member in enumerate(data_set.members):
            for slot in self._model.triggering(member.slot):
                self._index.setdefault(slot, []).append((listeners, number))
        return listeners

    def _detach(self, block: ReportControlBlock) -> None:
        listeners, block.listeners, block.data_set = block.listeners, None, None
        if listeners is None:
            return
        listeners.blocks.remove(block)
        if listeners.blocks:
            return
        del self._listeners[id(listeners.data_set)]
        for member in listeners.data_set.members:
            for slot in self._model.triggering(member.slot):
                rest = [one for one in self._index.get(slot, ()) if one[0] is not listeners]
                if rest:
                    self._index[slot] = rest
                else:
                    self._index.pop(slot, None)

    def uses(self, data_set: DataSet) -> bool:
        """True if a block has `data_set` as its DatSet."""
        return any(self._find(block.owner, str(block.get("DatSet"))) is data_set for block in self._blocks.values())

    # ------------------------------------------------------------------ events

    def changed(self, changes: Changes, now: Now) -> None:
        """What one commit has changed."""
        if not self._index:
            return
        touched: list[Listeners] = []
        index = self._index
        for slots, trigger in ((changes.dchg, rcb.DCHG), (changes.qchg, rcb.QCHG), (changes.dupd, rcb.DUPD)):
            for slot in slots:
                for listeners, member in index.get(slot, ()):
                    members = listeners.touched
                    if not members:
                        touched.append(listeners)
                    members[member] = members.get(member, 0) | trigger
        for listeners in touched:
            members, listeners.touched = listeners.touched, {}
            self._events(listeners, members, now)

    def _events(self, listeners: Listeners, members: dict[int, int], now: Now) -> None:
        """Tell the blocks of one data set which of its members have changed; those that hear the same share a body."""
        bodies: dict[int, Body] = {}  # by the triggers that count
        seen = 0
        for reason in members.values():
            seen |= reason
        for block in tuple(listeners.blocks):
            triggers = block.triggers & seen
            if not triggers:
                continue
            body = bodies.get(triggers)
            if body is None:
                body = bodies[triggers] = self._body(listeners.data_set, members, triggers)
            self._event(block, body, now)

    def _body(self, data_set: DataSet, members: dict[int, int], triggers: int) -> Body:
        read, there = self._model.cache.read, data_set.members
        reasons = sorted((member, reason & triggers) for member, reason in members.items() if reason & triggers)
        return Body(tuple(reasons), tuple([read(there[member].slot) for member, _ in reasons]))

    def _event(self, block: ReportControlBlock, body: Body, now: Now) -> None:
        window_ms = block.number("BufTm")
        if window_ms == 0 and not block.pending:
            self._file(block, Entry(now.utc_ns, body), now)
            return
        if not block.pending.keys().isdisjoint(member for member, _ in body.members):
            self._flush(block, now)
        for (member, reason), data in zip(body.members, body.data, strict=True):
            block.pending[member] = (reason, data)
        if window_ms == 0:
            self._flush(block, now)
        elif not block.window_until_ns:
            block.window_until_ns = now.monotonic_ns + window_ms * 1_000_000
            self._wake(block.window_until_ns, block)

    def _flush(self, block: ReportControlBlock, now: Now) -> None:
        block.window_until_ns = 0
        if not block.pending:
            return
        pending = sorted(block.pending.items())
        block.pending = {}
        members = tuple((member, reason) for member, (reason, _) in pending)
        self._file(block, Entry(now.utc_ns, Body(members, tuple(data for _, (_, data) in pending))), now)

    def _whole(self, block: ReportControlBlock, reason: int, now: Now) -> None:
        """An entry of every member; what happened before it goes first."""
        self._flush(block, now)
        if block.data_set is None:
            return
        read = self._model.cache.read
        data = tuple(read(member.slot) for member in block.data_set.members)
        members = tuple((number, reason) for number in range(len(data)))
        self._file(block, Entry(now.utc_ns, Body(members, data), interrogation=reason == rcb.GI), now)

    def _file(self, block: ReportControlBlock, entry: Entry, now: Now) -> None:
        if block.buffer is None:
            self._post(block, entry)
            return
        entry.entry_id = self._journal.new_id(now.utc_ns)
        entry.after_gap, block.buffer.gap = block.buffer.gap, False
        entry.ticket = self._journal.add(File(block.path, entry.entry_id, entry.time_ns, entry.content()))
        had_lost = block.buffer.lost
        gone = block.buffer.add(entry)
        if gone is not None:
            self._journal.add(Drop(block.path, gone))
        if block.buffer.lost and not had_lost:
            self.notices.append((block.owner, block.path, "overflow"))
        if not block.enabled:
            self._show_newest(block, block.buffer)
        elif block.owner is not None:
            self._ready.add(block.owner)

    def _show_newest(self, block: ReportControlBlock, buffer: EntryBuffer) -> None:
        newest = buffer.newest
        if newest is not None and not block.resumed:
            block.set("EntryID", newest.entry_id.to_bytes(8, "big"))
            block.set("TimeofEntry", newest.time_ns)

    # ------------------------------------------------------------------ sending

    def _post(self, block: ReportControlBlock, entry: Entry) -> None:
        assert block.owner is not None  # noqa: S101 - an URCB has entries while it is enabled
        pdus = report.encode(block.header(entry), entry.body, block.owner.max_pdu)
        if not pdus or not block.owner.outbox.post(pdus):
            self.notices.append((block.owner, block.path, "dropped"))
        self._ready.add(block.owner)
        block.counted()

    def pull(self, client: Client) -> list[bytes]:
        """The PDUs that `client` is to get now: what waits in its outbox, and the next of its buffered entries."""
        pdus = client.outbox.take()
        left = TURN_OCTETS
        for block in self._held.get(client, ()):
            while left > 0 and (entry := self._next(block)) is not None:
                sent = self._send(block, entry)
                left -= sum(map(len, sent))
                pdus += sent
        if left > 0:
            self._ready.discard(client)
        return pdus

    def receivers(self) -> list[Client]:
        """The clients for which something waits."""
        return list(self._ready)

    def post(self, client: Client, pdus: list[bytes]) -> None:
        """Queue what is no report but leaves like one."""
        if client.outbox.post(pdus):
            self._ready.add(client)

    def stored(self) -> None:
        """More is stored than before: what waited for it may be sent."""
        self._ready |= self._unsafe
        self._unsafe.clear()

    def _next(self, block: ReportControlBlock) -> Entry | None:
        """The next entry of a BRCB that may be sent."""
        entry = block.buffer.peek() if block.buffer is not None and block.enabled else None
        if entry is None or self._journal.safe(entry.ticket):
            return entry
        if block.owner is not None:
            self._unsafe.add(block.owner)
        return None

    def _send(self, block: ReportControlBlock, entry: Entry) -> list[bytes]:
        assert block.buffer is not None and block.owner is not None  # noqa: S101, PT018 - `_next` looked
        header = block.header(entry)
        pdus = report.encode(header, entry.body, block.owner.max_pdu)
        block.buffer.sent()
        block.counted()
        if pdus:
            block.buffer.lost = False
            block.set("EntryID", header.entry_id)
            block.set("TimeofEntry", entry.time_ns)
        else:
            block.buffer.lost = True  # it grew beyond what this client takes
        return pdus

    # ------------------------------------------------------------------ time

    def _wake(self, at_ns: int, block: ReportControlBlock) -> None:
        heapq.heappush(self._timers, (at_ns, next(self._numbers), block))

    def next_deadline_ns(self) -> int:
        """When `deadline` is to be called, on the monotonic clock; NEVER if nothing waits for time."""
        return self._timers[0][0] if self._timers else NEVER

    def deadline(self, now: Now) -> None:
        """Let time pass: windows end, integrity reports are due, reservations lapse."""
        while self._timers and self._timers[0][0] <= now.monotonic_ns:
            _, _, block = heapq.heappop(self._timers)
            if block.window_until_ns and block.window_until_ns <= now.monotonic_ns:
                self._flush(block, now)
            if block.integrity_at_ns and block.integrity_at_ns <= now.monotonic_ns:
                self._whole(block, rcb.INTEGRITY, now)
                self._next_integrity(block, now)
            if block.held_for is not None and block.held_until_ns <= now.monotonic_ns:
                block.release()
                self.notices.append((None, block.path, "released"))

    def start_timers(self, now: Now) -> None:
        """Begin the integrity periods of the blocks that listen from the start."""
        for block in self._blocks.values():
            self._restart_integrity(block, now)

    def _restart_integrity(self, block: ReportControlBlock, now: Now) -> None:
        period_ms = block.number("IntgPd")
        block.integrity_at_ns = 0
        if block.listens and period_ms and block.triggers & rcb.INTEGRITY:
            block.integrity_at_ns = now.monotonic_ns + max(period_ms, SHORTEST_INTEGRITY_MS) * 1_000_000
            self._wake(block.integrity_at_ns, block)

    def _next_integrity(self, block: ReportControlBlock, now: Now) -> None:
        period_ns = max(block.number("IntgPd"), SHORTEST_INTEGRITY_MS) * 1_000_000
        missed = (now.monotonic_ns - block.integrity_at_ns) // period_ns
        block.integrity_at_ns += (missed + 1) * period_ns
        self._wake(block.integrity_at_ns, block)

    # ------------------------------------------------------------------ clients come, write and go

    def owns(self, slot: int) -> bool:
        """True if `slot` is an attribute of a block, or a block itself."""
        return slot in self._attributes or slot in self._blocks

    def write(self, client: Client, slot: int, tag: int, contents: bytes, now: Now) -> DataAccessError | None:
        """Write one attribute; why not, or None. A block as a whole is not written."""
        if slot not in self._attributes:
            return DataAccessError.OBJECT_ACCESS_DENIED
        block, name = self._attributes[slot]
        objection = block.objection(client, name, now.monotonic_ns)
        if objection is not None:
            return objection
        kind = self._model.node(slot).kind
        assert kind is not None  # noqa: S101 - attributes are leaves
        value = kind.decode(tag, contents)
        if isinstance(value, DataAccessError):
            return value
        match name:
            case "RptEna":
                if value:
                    return self._enable(block, client, now)
                self._disable(block, now)
                return None
            case "GI":
                if value and block.triggers & rcb.GI:
                    self._whole(block, rcb.GI, now)
                    self.notices.append((client, block.path, "gi"))
                return None
            case "Resv" | "ResvTms":
                return self._reservation(block, client, name, value)
            case "PurgeBuf":
                if value:
                    self._purge(block)
                return None
            case "EntryID":
                return self._resume(block, client, value)
            case _:
                return self._configure(block, client, name, value, now)

    def _enable(self, block: ReportControlBlock, client: Client, now: Now) -> DataAccessError | None:
        if block.enabled:
            return rcb.UNAVAILABLE
        found = self._find(client, str(block.get("DatSet")))
        if found is None or not found.members:
            return rcb.UNAVAILABLE
        self._reserve(block, client, implicit=True)
        block.enabled = True
        self._attach(block)
        if not self._fits(block):
            block.enabled = False
            self._attach(block)
            return rcb.UNAVAILABLE
        block.set("RptEna", True)
        block.set("SqNum", 0)
        block.set("GI", False)
        if block.buffer is None:
            block.pending, block.window_until_ns = {}, 0
        elif not block.resumed:
            block.buffer.rewind()
        block.resumed = False
        if not block.buffered or not block.integrity_at_ns:
            self._restart_integrity(block, now)
        self._ready.add(client)
        self.notices.append((client, block.path, "enabled"))
        return None

    def _fits(self, block: ReportControlBlock) -> bool:
        """True if every member, alone, fits a report to the block's client: none could ever be sent otherwise."""
        assert block.data_set is not None and block.owner is not None  # noqa: S101, PT018 - just found
        read = self._model.cache.read
        members = block.data_set.members
        body = Body(tuple((number, 0) for number in range(len(members))), tuple(read(one.slot) for one in members))
        return report.fits(block.header(Entry(0, body)), body, block.owner.max_pdu)

    def _disable(self, block: ReportControlBlock, now: Now) -> None:
        if not block.enabled:
            return
        self.notices.append((block.owner, block.path, "disabled"))
        if block.buffered:
            self._flush(block, now)
        self._stop(block)
        if block.implicit:
            self._release(block)

    def _stop(self, block: ReportControlBlock) -> None:
        block.enabled = False
        block.set("RptEna", False)
        if block.buffer is not None:
            self._show_newest(block, block.buffer)
            return
        block.pending, block.window_until_ns, block.integrity_at_ns = {}, 0, 0
        self._detach(block)

    def _reserve(self, block: ReportControlBlock, client: Client, *, implicit: bool) -> None:
        if block.owner is not client:
            self._held.setdefault(client, []).append(block)
            self.notices.append((client, block.path, "reserved"))
        block.reserve(client, implicit=implicit)

    def _release(self, block: ReportControlBlock) -> None:
        if block.owner is not None:
            held = self._held.get(block.owner, [])
            if block in held:
                held.remove(block)
        self.notices.append((block.owner, block.path, "released"))
        block.release()

    def _reservation(
        self, block: ReportControlBlock, client: Client, name: str, value: object
    ) -> DataAccessError | None:
        seconds = int(value)  # type: ignore[call-overload]
        if seconds < 0:
            return rcb.INVALID
        if seconds == 0:
            self._release(block)
            return None
        self._reserve(block, client, implicit=False)
        block.set(name, value)
        return None

    def _resume(self, block: ReportControlBlock, client: Client, value: object) -> DataAccessError | None:
        assert block.buffer is not None and isinstance(value, bytes)  # noqa: S101, PT018 - only BRCBs have EntryID
        self._reserve(block, client, implicit=True)
        entry_id = int.from_bytes(value, "big")
        if entry_id == 0:
            block.buffer.rewind()
            block.resumed = False
        elif block.buffer.resume(entry_id):
            block.resumed = True
        else:
            block.resumed, block.buffer.lost = False, True
            return rcb.INVALID
        block.set("EntryID", value)
        return None

    def _configure(
        self, block: ReportControlBlock, client: Client, name: str, value: object, now: Now
    ) -> DataAccessError | None:
        if name == "DatSet" and value and self._find(client, str(value)) is None:
            return rcb.INVALID
        if name == "DatSet" and block.buffered and str(value).startswith("@"):
            return rcb.INVALID  # a BRCB outlives the association, and so must its data set
        self._reserve(block, client, implicit=True)
        if value == block.get(name):
            return None
        block.set(name, value)
        if name == "DatSet":
            block.set("ConfRev", block.number("ConfRev") + 1 & 0xFFFFFFFF)
        if block.buffer is not None:
            if name in rcb.PURGING:
                self._purge(block)
            self._keep(block, name)
            self._attach(block)
            self._sign(block)
            self._restart_integrity(block, now)
        return None

    def _keep(self, block: ReportControlBlock, name: str) -> None:
        for one in (name, "ConfRev") if name == "DatSet" else (name,):
            if one in KEPT:
                kept.keep(self._journal, KIND, f"{block.path}${one}", self._model, block.slots[one])

    def _purge(self, block: ReportControlBlock) -> None:
        assert block.buffer is not None  # noqa: S101 - only BRCBs have PurgeBuf
        newest = block.buffer.newest
        if newest is not None:
            self._journal.add(Drop(block.path, newest.entry_id))
        block.buffer.purge()
        block.pending, block.window_until_ns, block.resumed = {}, 0, False
        block.set("EntryID", bytes(8))
        block.set("TimeofEntry", 0)
        self.notices.append((block.owner, block.path, "purged"))

    def closed(self, client: Client, now: Now) -> None:
        """`client` is gone: what it held is free, at once or after a while; no block keeps a data set of its own."""
        self._ready.discard(client)
        self._unsafe.discard(client)
        for block in self._held.pop(client, []):
            if block.enabled:
                if block.buffered:
                    self._flush(block, now)
                self._stop(block)
            block.abandon(now.monotonic_ns)
            if block.held_for is None:
                self.notices.append((client, block.path, "released"))
            else:
                self._wake(block.held_until_ns, block)
            if str(block.get("DatSet")).startswith("@"):
                block.set("DatSet", "")
                block.set("ConfRev", block.number("ConfRev") + 1 & 0xFFFFFFFF)
                self._detach(block)


def _signature(block: ReportControlBlock) -> bytes:
    """What tells one data set from another: the references of its members."""
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
