"""Report control block: its attributes, its reservation, and the writes that it allows (IEC 61850-7-2, BRCB and URCB).

    free ──Resv, ResvTms, or an attribute written──► reserved ──RptEna true──► enabled ──RptEna false──► reserved
      ▲                                                 │ its client is gone: URCB at once, BRCB after ResvTms │
      └─────────────────────────────────────────────────┴──────────────────────────────────────────────────────┘

While another client holds it, a write is temporarily-unavailable; while it is enabled too, but for GI and RptEna. Attributes
that ReportSettings fixes, or that are the server's own, are object-access-denied. They all live in the cache, as all data.
"""

from dataclasses import dataclass, field
from typing import Final

from mapping.model import ClientLn, ReportControl, Setting
from mms_server.acsi.clients import Client
from mms_server.acsi.reporting.entry_buffer import Entry, EntryBuffer
from mms_server.mms.errors import DataAccessError
from mms_server.mms.report import Header
from mms_server.model.datasets import DataSet
from mms_server.model.tree import DataModel

DCHG: Final = 0x10  # TrgOps and ReasonCode: six bits, the first the most significant
QCHG: Final = 0x08
DUPD: Final = 0x04
INTEGRITY: Final = 0x02
GI: Final = 0x01
IMPLICIT_S: Final = 10  # how long a reservation that nobody asked for lasts after the client is gone
READ_ONLY: Final = frozenset({"ConfRev", "SqNum", "Owner", "TimeofEntry"})
PURGING: Final = frozenset({"DatSet", "RptID", "BufTm", "TrgOps", "IntgPd"})
ALLOWED: Final = None
DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
UNAVAILABLE: Final = DataAccessError.TEMPORARILY_UNAVAILABLE
INVALID: Final = DataAccessError.OBJECT_VALUE_INVALID


@dataclass(eq=False, slots=True)
class DataSetBlocks:
    """The blocks that monitor one data set, and its members that the present commit has changed."""

    data_set: DataSet
    blocks: "list[ReportControlBlock]" = field(default_factory=list)
    touched: dict[int, int] = field(default_factory=dict)  # member -> triggers

    def taken(self) -> dict[int, int]:
        """The changed members with their triggers, which are cleared."""
        touched, self.touched = self.touched, {}
        return touched


@dataclass(eq=False)
class ReportControlBlock:
    """One instance. `slots` are those of its attributes by name; `settings` is ReportSettings by attribute."""

    model: DataModel
    path: str  # `LD/LN$BR$name01`
    slots: dict[str, int]
    source: ReportControl
    settings: dict[str, Setting]
    buffer: EntryBuffer | None  # of a BRCB
    preassigned: ClientLn | None = None
    data_set: DataSet | None = None
    owner: Client | None = None
    implicit: bool = False  # nobody asked for the reservation
    held_for: str | None = None  # host of a client that is gone, for which it is kept
    held_until_ns: int = 0
    enabled: bool = False
    resumed: bool = False  # a client has said where to go on
    data_set_blocks: "DataSetBlocks | None" = None  # with whom it listens to the data set
    pending: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # member -> reason and Data, within BufTm
    window_until_ns: int = 0
    integrity_at_ns: int = 0

    # ------------------------------------------------------------------ attributes

    def get(self, name: str) -> object:
        """The value of an attribute."""
        return self.model.cache.values[self.slots[name]]

    def number(self, name: str) -> int:
        """The value of a numeric attribute."""
        return int(self.get(name))  # type: ignore[call-overload, no-any-return]

    def set(self, name: str, value: object) -> None:
        """Set an attribute; nothing happens if this block does not have it."""
        if name in self.slots:
            self.model.cache.commit([(self.slots[name], value)])

    @property
    def triggers(self) -> int:
        """TrgOps."""
        return self.number("TrgOps")

    @property
    def buffered(self) -> bool:
        """True for a BRCB."""
        return self.buffer is not None

    @property
    def listens(self) -> bool:
        """True while events matter to it: an URCB while enabled, a BRCB from the start."""
        return self.data_set is not None and (self.enabled or (self.buffered and self.triggers != 0))

    def header(self, entry: Entry) -> Header:
        """The header of the report of `entry`: the fields before its members."""
        assert self.data_set is not None  # noqa: S101 - it has entries
        return Header(
            str(self.get("RptID")) or self.path,
            self.number("OptFlds"),
            self.number("SqNum"),
            entry.time_ns,
            str(self.get("DatSet")),
            self.number("ConfRev"),
            self.data_set.told,
            entry.entry_id.to_bytes(8, "big") if self.buffer is not None else None,
            self.buffer is not None and (self.buffer.lost or entry.after_gap),
        )

    def counted(self) -> None:
        """Increment SqNum: a report has left, or was dropped."""
        self.set("SqNum", self.number("SqNum") + 1 & (0xFFFF if self.buffered else 0xFF))

    def times(self) -> tuple[int, ...]:
        """The times that are due: end of BufTm, next integrity report, end of a reservation; 0 for none."""
        return self.window_until_ns, self.integrity_at_ns, 0 if self.held_for is None else self.held_until_ns

    # ------------------------------------------------------------------ who holds it

    def free_for(self, client: Client, now_ns: int) -> bool:
        """True if `client` may use it."""
        if self.owner is not None:
            return self.owner is client
        if self.held_for is not None and now_ns < self.held_until_ns:
            return self.held_for == client.host
        assigned = self.preassigned.address if self.preassigned else None
        return assigned is None or assigned == client.host

    def reserve(self, client: Client, *, implicit: bool) -> None:
        """Reserve it for `client`. `implicit`: by a write to another attribute than Resv or ResvTms."""
        if self.owner is client:
            self.implicit = self.implicit and implicit
            return
        self.owner, self.implicit = client, implicit
        self.held_for = None
        self.set("Owner", client.address_octets)
        self.set("Resv", True)
        if implicit and self.get_or("ResvTms", 0) == 0:
            self.set("ResvTms", IMPLICIT_S)

    def get_or(self, name: str, otherwise: object) -> object:
        """The value of an attribute that not every edition has."""
        return self.get(name) if name in self.slots else otherwise

    def release(self) -> None:
        """End the reservation."""
        self.owner, self.implicit, self.held_for = None, False, None
        self.set("Owner", b"")
        self.set("Resv", self.preassigned is not None)
        self.set("ResvTms", -1 if self.preassigned is not None else 0)

    def abandon(self, now_ns: int) -> None:
        """Disable it, as its client is gone: an URCB is free, a BRCB stays reserved for that client for ResvTms."""
        owner = self.owner
        assert owner is not None  # noqa: S101 - it had one
        self.enabled = False
        self.set("RptEna", False)
        self.set("GI", False)
        seconds = int(self.get_or("ResvTms", IMPLICIT_S))  # type: ignore[call-overload]
        if not self.buffered or seconds < 0:
            self.release()
            return
        self.owner = None
        self.held_for, self.held_until_ns = owner.host, now_ns + seconds * 1_000_000_000

    # ------------------------------------------------------------------ what a client may write

    def objection(self, client: Client, name: str, now_ns: int) -> DataAccessError | None:
        """The error that refuses every write of `client` to the attribute `name` now; None if it may write."""
        if name in READ_ONLY or self.settings.get(name, Setting.DYN) is not Setting.DYN:
            return DENIED
        if not self.free_for(client, now_ns):
            return UNAVAILABLE
        if name == "RptEna":
            return ALLOWED
        if name == "GI":
            return ALLOWED if self.enabled else UNAVAILABLE
        if self.enabled:
            return UNAVAILABLE
        return DENIED if name == "ResvTms" and self.preassigned is not None else ALLOWED
