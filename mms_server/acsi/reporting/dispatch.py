"""Dispatch of reports: those of URCBs from the client's outbox, entries of BRCBs in order once they are stored (pure)."""

from typing import Final

from mms_server.acsi.clients import Client
from mms_server.acsi.persistence import Persistence
from mms_server.acsi.reporting.entry_buffer import Entry
from mms_server.acsi.reporting.rcb import ReportControlBlock
from mms_server.mms import report

TURN_OCTETS: Final = 128 * 1024  # of buffered reports in one turn of a client

Notice = tuple[Client | None, str, str]


class Dispatch:
    """The blocks that each client holds, and the clients for which PDUs wait."""

    def __init__(self, persistence: Persistence) -> None:
        self.notices: list[Notice] = []
        self._persistence = persistence
        self._held: dict[Client, list[ReportControlBlock]] = {}
        self._ready: set[Client] = set()
        self._unsafe: set[Client] = set()  # what they wait for is not stored yet

    def note(self, client: Client | None, block: ReportControlBlock, event: str) -> None:
        """Queue an event of `block` for the log and the embedding program."""
        self.notices.append((client, block.path, event))

    def wake(self, client: Client) -> None:
        """Mark `client` as one for which PDUs may wait."""
        self._ready.add(client)

    def hold(self, client: Client, block: ReportControlBlock) -> None:
        """Note that `client` holds `block` from now on."""
        self._held.setdefault(client, []).append(block)
        self.note(client, block, "reserved")

    def free(self, block: ReportControlBlock) -> None:
        """Note that `block` is held by no client any more."""
        held = self._held.get(block.owner, []) if block.owner is not None else []
        if block in held:
            held.remove(block)
        self.note(block.owner, block, "released")

    def forget(self, client: Client) -> list[ReportControlBlock]:
        """Forget a `client` that is gone; the blocks that it held."""
        self._ready.discard(client)
        self._unsafe.discard(client)
        return self._held.pop(client, [])

    def report(self, block: ReportControlBlock, entry: Entry) -> None:
        """Put the report of an URCB into the outbox of its client; it is dropped whole if that is full."""
        assert block.owner is not None  # noqa: S101 - an URCB has entries while it is enabled
        pdus = report.encode(block.header(entry), entry.body, block.owner.max_pdu)
        if not pdus or not block.owner.outbox.post(pdus):
            self.note(block.owner, block, "dropped")
        self._ready.add(block.owner)
        block.counted()

    def pull(self, client: Client) -> list[bytes]:
        """The PDUs for `client` now: its outbox, and the next of its buffered entries, TURN_OCTETS or a little more."""
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
        """The clients for which PDUs wait."""
        return list(self._ready)

    def post(self, client: Client, pdus: list[bytes]) -> None:
        """Queue PDUs that are no reports but leave like them (CommandTermination)."""
        if client.outbox.post(pdus):
            self._ready.add(client)

    def stored(self) -> None:
        """Release the entries that waited for the store: more is stored than before."""
        self._ready |= self._unsafe
        self._unsafe.clear()

    def _next(self, block: ReportControlBlock) -> Entry | None:
        """The next entry of a BRCB that may be sent."""
        entry = block.buffer.peek() if block.buffer is not None and block.enabled else None
        if entry is None or self._persistence.safe(entry.ticket):
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
