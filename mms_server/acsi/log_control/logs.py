"""Logs: the events of data sets, stored for later queries (IEC 61850-7-2, log control; IEC 61850-8-1, journal mapping).

    changes of a commit ──► log control blocks that are enabled ──► entry in the journal that LogRef names ──► the store
    ReadJournal by time, or after an entry ◄── entries, oldest first, page by page

Several blocks may write into one journal. It keeps so many entries and no older ones; OldEntr and NewEntr show its ends.
"""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from bus.quality import Stamp
from mapping.model import FC, LogControl, Setting
from mms_server.acsi import persisted_values
from mms_server.acsi.behaviour import NEVER, ControlBlocks
from mms_server.acsi.clients import Client
from mms_server.acsi.file_transfer.files import EVENTS, GeneratedFile
from mms_server.acsi.log_control import export
from mms_server.acsi.persistence import Drop, File, Persistence, StoredState, octets_of, parts_of
from mms_server.acsi.reporting.rcb import DCHG, DUPD, INTEGRITY, QCHG
from mms_server.mms.errors import DataAccessError
from mms_server.model.cache import Changes
from mms_server.model.datasets import DataSet
from mms_server.model.tree import UNKNOWN, DataModel, PlacedNode

ENTRIES_LIMIT: Final = 10_000
MS_NS: Final = 1_000_000
AGE_NS: Final = 90 * 24 * 3600 * 1_000_000_000
SHORTEST_INTEGRITY_MS: Final = 20
KIND: Final = "lcb"
PREFIX: Final = "log "
_KEPT: Final = ("LogEna", "DatSet", "TrgOps", "IntgPd")
_DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
_UNAVAILABLE: Final = DataAccessError.TEMPORARILY_UNAVAILABLE
_INVALID: Final = DataAccessError.OBJECT_VALUE_INVALID

Find = Callable[[Client | None, str], DataSet | None]


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry: for each member in it the reference, the Data, and the reason (six bits of ReasonCode)."""

    entry_id: int
    time_ns: int
    rows: tuple[tuple[bytes, bytes, int], ...]

    def content(self) -> bytes:
        """The entry as stored."""
        rows = (octets_of(iter((reference, data, bytes((reason,))))) for reference, data, reason in self.rows)
        return octets_of(rows)

    @classmethod
    def restored(cls, filed: File) -> "LogEntry":
        """The entry that was filed. Raises ValueError for content that is none."""
        rows = [parts_of(row) for row in parts_of(filed.content)]
        if any(len(row) != 3 or len(row[2]) != 1 for row in rows):
            raise ValueError(f"log entry {filed.entry_id:016x}: a row of another shape")
        return cls(filed.entry_id, filed.time_ns, tuple((row[0], row[1], row[2][0]) for row in rows))


@dataclass(eq=False, slots=True)
class LogJournal:
    """One journal, `LD/LN$name`, and the blocks that write into it."""

    name: str
    entries: list[LogEntry] = field(default_factory=list)
    blocks: "list[LogBlock]" = field(default_factory=list)

    def between(self, start_ns: int | None, stop_ns: int | None) -> list[LogEntry]:
        """The entries of that time, both ends included, to the millisecond: clients see no more of an entry's time."""
        start_ms, stop_ms = (None if end is None else end // MS_NS for end in (start_ns, stop_ns))
        return [
            entry
            for entry in self.entries
            if (start_ms is None or entry.time_ns // MS_NS >= start_ms)
            and (stop_ms is None or entry.time_ns // MS_NS <= stop_ms)
        ]

    def after(self, entry_id: int) -> list[LogEntry]:
        """The entries behind that one, whether or not it is still there."""
        return self.entries[bisect_right(self.entries, entry_id, key=lambda one: one.entry_id) :]


@dataclass(eq=False, slots=True)
class LogBlock:
    """One log control block."""

    model: DataModel
    path: str  # `LD/LN$LG$name`
    slots: dict[str, int]
    journal: LogJournal
    data_set: DataSet | None = None
    integrity_at_ns: int = NEVER

    def get(self, name: str) -> object:
        """The value of an attribute."""
        return self.model.cache.values[self.slots[name]]

    def number(self, name: str) -> int:
        """The value of a numeric attribute."""
        return int(str(self.get(name)))

    @property
    def enabled(self) -> bool:
        """LogEna."""
        return self.get("LogEna") is True


class Logs(ControlBlocks):
    """All log control blocks and journals of a server."""

    def __init__(self, model: DataModel, find: Find, persistence: Persistence, stored: StoredState | None) -> None:
        self._model = model
        self._find = find
        self._persistence = persistence
        self._index: dict[int, list[tuple[LogBlock, int]]] = {}
        self._blocks: dict[int, LogBlock] = {}
        self._attributes: dict[int, tuple[LogBlock, str]] = {}
        self._settings = model.server.services.log_settings
        self.journals: dict[str, LogJournal] = {}
        self._exports: dict[
            str, tuple[tuple[int, int], GeneratedFile]
        ] = {}  # by the first and last entry that are in it
        for domain in model.domains.values():
            for name in domain.journals:
                full = f"{domain.name.decode()}/{name.decode()}"
                self.journals[full] = LogJournal(full)
        for placed in model.nodes():
            for source in placed.source.logs:
                self._place(placed, source)
        self._restore(stored)

    def _place(self, placed: PlacedNode, source: LogControl) -> None:
        slot = placed.domain.slot(placed.name + f"${FC.LG.value}${source.name}".encode("ascii", "replace"))
        if slot == UNKNOWN:
            return
        node = self._model.node(slot)
        slots = {child.name.decode(): slot + child.index - node.index for child in node.children}
        reference = f"{source.log_domain}/{source.log_name}"
        found = self.journals.setdefault(reference, LogJournal(reference))
        path = f"{placed.domain.name.decode()}/{placed.name.decode()}$LG${source.name}"
        block = LogBlock(self._model, path, slots, found)
        found.blocks.append(block)
        self._blocks[slot] = block
        self._attributes |= {own: (block, name) for name, own in slots.items()}

    def _restore(self, stored: StoredState | None) -> None:
        if stored is not None:
            for name, one in self.journals.items():
                for filed in stored.entries.get(PREFIX + name, []):
                    try:
                        one.entries.append(LogEntry.restored(filed))
                    except ValueError:
                        self._persistence.add(Drop(PREFIX + name, filed.entry_id))  # a damaged row
                self._show(one)
            written = stored.values.get(KIND, {})
            for block in self._blocks.values():
                for attribute in _KEPT:
                    octets = written.get(f"{block.path}${attribute}")
                    if octets is not None:
                        persisted_values.restore(self._model, block.slots[attribute], octets)
        for block in self._blocks.values():
            self._attach(block)

    # ------------------------------------------------------------------ events

    def _attach(self, block: LogBlock) -> None:
        self._index = {
            slot: rest for slot, held in self._index.items() if (rest := [one for one in held if one[0] is not block])
        }
        block.data_set = self._find(None, str(block.get("DatSet")))
        if not block.enabled or block.data_set is None:
            return
        for number, member in enumerate(block.data_set.members):
            for slot in self._model.triggering(member.slot):
                self._index.setdefault(slot, []).append((block, number))

    def changed(self, changes: Changes, now: Stamp) -> None:
        """Log the changes of one commit: at most one entry for each block."""
        if not self._index:
            return
        touched: dict[LogBlock, dict[int, int]] = {}
        for slots, trigger in ((changes.dchg, DCHG), (changes.qchg, QCHG), (changes.dupd, DUPD)):
            for slot in slots:
                for block, member in self._index.get(slot, ()):
                    if block.number("TrgOps") & trigger:
                        members = touched.setdefault(block, {})
                        members[member] = members.get(member, 0) | trigger
        for block, members in touched.items():
            self._file(block, sorted(members.items()), now)

    def _file(self, block: LogBlock, members: list[tuple[int, int]], now: Stamp) -> None:
        if block.data_set is None:
            return
        read, all_members = self._model.cache.read, block.data_set.members
        rows = tuple(
            (all_members[number].reference.encode(), read(all_members[number].slot), reason)
            for number, reason in members
        )
        entry = LogEntry(self._persistence.new_id(now.utc_ns), now.utc_ns, rows)
        one = block.journal
        one.entries.append(entry)
        self._persistence.add(File(PREFIX + one.name, entry.entry_id, entry.time_ns, entry.content()))
        gone = 0
        while len(one.entries) - gone > ENTRIES_LIMIT or one.entries[gone].time_ns < now.utc_ns - AGE_NS:
            gone += 1
        if gone:
            self._persistence.add(Drop(PREFIX + one.name, one.entries[gone - 1].entry_id))
            del one.entries[:gone]
        self._show(one)

    def _show(self, one: LogJournal) -> None:
        if not one.entries:
            return
        old, new = one.entries[0], one.entries[-1]
        for block in one.blocks:
            self._model.cache.commit(
                [
                    (block.slots["OldEntr"], old.entry_id.to_bytes(8, "big")),
                    (block.slots["NewEntr"], new.entry_id.to_bytes(8, "big")),
                    (block.slots["OldEntrTm"], old.time_ns),
                    (block.slots["NewEntrTm"], new.time_ns),
                ]
            )

    # ------------------------------------------------------------------ time

    def start(self, now: Stamp) -> None:
        """Begin the integrity periods."""
        for block in self._blocks.values():
            self._restart(block, now)

    def _restart(self, block: LogBlock, now: Stamp) -> None:
        period_ms = block.number("IntgPd")
        wanted = block.enabled and period_ms and block.number("TrgOps") & INTEGRITY
        block.integrity_at_ns = (
            now.monotonic_ns + max(period_ms, SHORTEST_INTEGRITY_MS) * 1_000_000 if wanted else NEVER
        )

    def next_deadline_ns(self) -> int:
        """The monotonic time of the next integrity entry."""
        return min((block.integrity_at_ns for block in self._blocks.values()), default=NEVER)

    def deadline(self, now: Stamp) -> None:
        """Let time pass: write the integrity entries that are due."""
        for block in self._blocks.values():
            if block.integrity_at_ns <= now.monotonic_ns and block.data_set is not None:
                self._file(block, [(number, INTEGRITY) for number in range(len(block.data_set.members))], now)
                self._restart(block, now)

    # ------------------------------------------------------------------ what clients write and read

    def owns(self, slot: int) -> bool:
        """True if `slot` is a log control block, or an attribute of one."""
        return slot in self._attributes or slot in self._blocks

    def write(self, client: Client, slot: int, tag: int, contents: bytes, now: Stamp) -> DataAccessError | None:
        """Write one attribute of a log control block; the error, or None."""
        if slot not in self._attributes:
            return _DENIED
        block, name = self._attributes[slot]
        fixed = {
            "LogEna": self._settings.log_ena, "DatSet": self._settings.dat_set,
            "TrgOps": self._settings.trg_ops, "IntgPd": self._settings.intg_pd,
        }  # fmt: skip
        if fixed.get(name, Setting.FIX) is not Setting.DYN:
            return _DENIED
        kind = self._model.node(slot).kind
        assert kind is not None  # noqa: S101 - attributes are leaves
        value = kind.decode(tag, contents)
        if isinstance(value, DataAccessError):
            return value
        if name != "LogEna" and block.enabled:
            return _UNAVAILABLE
        if name == "DatSet" and value and (str(value).startswith("@") or self._find(client, str(value)) is None):
            return _INVALID
        if name == "LogEna" and value and self._find(client, str(block.get("DatSet"))) is None:
            return _UNAVAILABLE
        self._model.cache.commit([(slot, value)])
        persisted_values.keep(self._persistence, KIND, f"{block.path}${name}", self._model, slot)
        self._attach(block)
        self._restart(block, now)
        return None

    def exported(self) -> list[GeneratedFile]:
        """The newest entries of each log, as a file; made anew only when the log has changed."""
        return [self._export(one) for _, one in sorted(self.journals.items())]

    def _export(self, one: LogJournal) -> GeneratedFile:
        newest = one.entries[-export.ENTRIES :]
        last_id, time_ns = (newest[-1].entry_id, newest[-1].time_ns) if newest else (0, 0)
        made = self._exports.get(one.name)
        if made is None or made[0] != (newest[0].entry_id if newest else 0, last_id):
            content = export.lines([(entry.entry_id, entry.time_ns, entry.rows) for entry in newest])
            name = f"{EVENTS}/{export.file_name(one.name)}"
            made = ((newest[0].entry_id if newest else 0, last_id), GeneratedFile(name, content, time_ns))
            self._exports[one.name] = made
        return made[1]

    def uses(self, data_set: DataSet) -> bool:
        """True if a block has `data_set` as its DatSet."""
        return any(self._find(None, str(block.get("DatSet"))) is data_set for block in self._blocks.values())

    def find(self, domain: bytes, item: bytes) -> LogJournal | None:
        """The journal of that name."""
        return self.journals.get(f"{domain.decode('ascii', 'replace')}/{item.decode('ascii', 'replace')}")
