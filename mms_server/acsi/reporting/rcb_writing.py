"""SetBRCBValues and SetURCBValues: writes to report control blocks, and their end with a client (IEC 61850-7-2; pure).

    Resv, ResvTms ─► reserved    RptEna ─► enabled, or not    GI ─► an entry of everything    EntryID ─► where to go on
    PurgeBuf ─► empty            DatSet, RptID, TrgOps, ...  ─► another value; a BRCB then begins anew

The block itself decides if a client may write an attribute at all: see `rcb`.
"""

from bus.quality import Stamp
from mms_server.acsi.behaviour import ControlBlocks
from mms_server.acsi.clients import Client
from mms_server.acsi.reporting import rcb
from mms_server.acsi.reporting.entry_buffer import Entry
from mms_server.acsi.reporting.entry_creation import Find, Reporting
from mms_server.acsi.reporting.rcb import ReportControlBlock
from mms_server.mms import report
from mms_server.mms.errors import DataAccessError
from mms_server.mms.report import Body
from mms_server.model.tree import DataModel


class RcbWriting(ControlBlocks):
    """The clients' side of all report control blocks. `find` resolves a data set's name as clients write it into DatSet."""

    def __init__(self, model: DataModel, find: Find, reporting: Reporting) -> None:
        self._model = model
        self._find = find
        self._reporting = reporting
        self._dispatch = reporting.dispatch
        self._blocks = reporting.blocks
        self._attributes = {
            slot: (block, name) for block in reporting.blocks.values() for name, slot in block.slots.items()
        }

    def owns(self, slot: int) -> bool:
        """True if `slot` is an attribute of a block, or a block itself."""
        return slot in self._attributes or slot in self._blocks

    def write(self, client: Client, slot: int, tag: int, contents: bytes, now: Stamp) -> DataAccessError | None:
        """Write one attribute; the error, or None. A block as a whole is not written."""
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
                    self._reporting.whole(block, rcb.GI, now)
                    self._dispatch.note(client, block, "gi")
                return None
            case "Resv" | "ResvTms":
                return self._reservation(block, client, name, value)
            case "PurgeBuf":
                if value:
                    self._reporting.purge(block)
                return None
            case "EntryID":
                return self._resume(block, client, value)
            case _:
                return self._configure(block, client, name, value, now)

    def _enable(self, block: ReportControlBlock, client: Client, now: Stamp) -> DataAccessError | None:
        if block.enabled:
            return rcb.UNAVAILABLE
        found = self._find(client, str(block.get("DatSet")))
        if found is None or not found.members:
            return rcb.UNAVAILABLE
        self._reserve(block, client, implicit=True)
        block.enabled = True
        self._reporting.attach(block)
        if not self._fits(block):
            block.enabled = False
            self._reporting.attach(block)
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
            self._reporting.restart_integrity(block, now)
        self._dispatch.wake(client)
        self._dispatch.note(client, block, "enabled")
        return None

    def _fits(self, block: ReportControlBlock) -> bool:
        """True if every member, alone, fits a report to the block's client: none could ever be sent otherwise."""
        assert block.data_set is not None and block.owner is not None  # noqa: S101, PT018 - just found
        read = self._model.cache.read
        members = block.data_set.members
        body = Body(tuple((number, 0) for number in range(len(members))), tuple(read(one.slot) for one in members))
        return report.fits(block.header(Entry(0, body)), body, block.owner.max_pdu)

    def _disable(self, block: ReportControlBlock, now: Stamp) -> None:
        if not block.enabled:
            return
        self._dispatch.note(block.owner, block, "disabled")
        if block.buffered:
            self._reporting.flush(block, now)
        self._stop(block)
        if block.implicit:
            self._release(block)

    def _stop(self, block: ReportControlBlock) -> None:
        block.enabled = False
        block.set("RptEna", False)
        if block.buffer is not None:
            self._reporting.show_newest(block, block.buffer)
            return
        block.pending, block.window_until_ns, block.integrity_at_ns = {}, 0, 0
        self._reporting.detach(block)

    def _reserve(self, block: ReportControlBlock, client: Client, *, implicit: bool) -> None:
        if block.owner is not client:
            self._dispatch.hold(client, block)
        block.reserve(client, implicit=implicit)

    def _release(self, block: ReportControlBlock) -> None:
        self._dispatch.free(block)
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
        self, block: ReportControlBlock, client: Client, name: str, value: object, now: Stamp
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
                self._reporting.purge(block)
            self._reporting.keep(block, name)
            self._reporting.attach(block)
            self._reporting.sign(block)
            self._reporting.restart_integrity(block, now)
        return None

    def closed(self, client: Client, now: Stamp) -> None:
        """`client` is gone: its blocks are free, at once or after ResvTms; no block keeps a data set of that client."""
        for block in self._dispatch.forget(client):
            if block.enabled:
                if block.buffered:
                    self._reporting.flush(block, now)
                self._stop(block)
            block.abandon(now.monotonic_ns)
            if block.held_for is None:
                self._dispatch.note(client, block, "released")
            else:
                self._reporting.wake(block.held_until_ns, block)
            if str(block.get("DatSet")).startswith("@"):
                block.set("DatSet", "")
                block.set("ConfRev", block.number("ConfRev") + 1 & 0xFFFFFFFF)
                self._reporting.detach(block)
