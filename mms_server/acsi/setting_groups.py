"""Setting groups: one is active, one may be edited, by one client at a time (IEC 61850-7-2, setting group control).

    ActSG = k      the values of group k under SG                     LActTm
    EditSG = k     the values of group k under SE, for this client    until CnfEdit, EditSG = 0, ResvTms, or it is gone
    CnfEdit        what stands under SE becomes group k, and is active at once if k is

An LD has setting groups if its LLN0 has an SGCB. The number of the active group and the values that clients have written are
stored. Settings that are being written to the field (ActSG, or CnfEdit of the active group) are written to the end before
another such write: until then it is temporarily unavailable, and the edit stays although its client is gone or its time is
over.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from bus.quality import Stamp, UtcTime
from mapping.model import FC
from mms_server.acsi import persisted_values
from mms_server.acsi.access_callbacks import Call
from mms_server.acsi.behaviour import NEVER, ControlBlocks
from mms_server.acsi.clients import Client
from mms_server.acsi.control.process import Process
from mms_server.acsi.persistence import Persistence, Put, StoredState
from mms_server.mms.data import Scalar
from mms_server.mms.errors import DataAccessError
from mms_server.model import leaves
from mms_server.model.cache import Commit, SlotValue
from mms_server.model.tree import UNKNOWN, DataModel, Domain, PlacedNode

KIND: Final = "setting"
ACTIVE: Final = "setting group"
_SINCE: Final = "$LActTm"
_TIME_OCTETS: Final = 8
DEFAULT_RESV_S: Final = 300  # where there is ResvTms and the file does not say how long
_DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
_UNAVAILABLE: Final = DataAccessError.TEMPORARILY_UNAVAILABLE
_INVALID: Final = DataAccessError.OBJECT_VALUE_INVALID


@dataclass(eq=False, slots=True)
class _Setting:
    """One setting: the slots of its active and of its edited value, and its value in each group."""

    key: str  # `LN$SE$DO$DA`
    sg: int
    se: int
    values: list[Scalar]  # by group, the first at 0


@dataclass(eq=False, slots=True)
class SettingGroupControlBlock:
    """The SGCB of one LD, with its settings and the client that edits a group."""

    domain: Domain
    slots: dict[str, int]  # of the SGCB's attributes
    count: int
    resv_s: int
    settings: list[_Setting] = field(default_factory=list)
    editor: Client | None = None
    until_ns: int = NEVER
    settler: Client | None = None  # whose write is being settled with the field


class SettingGroups(ControlBlocks):
    """The setting groups of every LD of a server."""

    def __init__(
        self, model: DataModel, persistence: Persistence, stored: StoredState | None, commit: Commit, process: Process
    ) -> None:
        self._model = model
        self._persistence = persistence
        self._commit = commit
        self._process = process
        self._blocks = [block for placed in model.nodes() if (block := _block(model, placed)) is not None]
        self._attributes = {slot: (block, name) for block in self._blocks for name, slot in block.slots.items()}
        self._tops = {min(block.slots.values()) - 1 for block in self._blocks}
        self._by_domain = {block.domain.name: block for block in self._blocks}
        if stored is not None:
            for block in self._blocks:
                self._restore(block, stored)

    def _restore(self, block: SettingGroupControlBlock, stored: StoredState) -> None:
        name = block.domain.name.decode()
        written = stored.values.get(KIND, {})
        for setting in block.settings:
            for group in range(block.count):
                octets = written.get(f"{name}/{group + 1}/{setting.key}")
                value = None if octets is None else persisted_values.decoded(self._model, setting.se, octets)
                if value is not None:
                    setting.values[group] = value
        kept_active = stored.values.get(ACTIVE, {})
        active, since = int.from_bytes(kept_active.get(name, b""), "big"), kept_active.get(name + _SINCE, b"")
        if not 1 <= active <= block.count:
            active, since = self._number(block, "ActSG"), b""
        pairs: list[SlotValue] = [(block.slots["ActSG"], active)]
        if len(since) == _TIME_OCTETS:
            pairs.append((block.slots["LActTm"], UtcTime.from_octets(since)))
        pairs += [(setting.sg, setting.values[active - 1]) for setting in block.settings if 1 <= active <= block.count]
        self._model.cache.commit(pairs)

    # ------------------------------------------------------------------ what belongs to them

    def owns(self, slot: int) -> bool:
        """True if `slot` is an SGCB, or an attribute of one."""
        return slot in self._attributes or slot in self._tops

    def grouped(self, slot: int) -> bool:
        """True if `slot` is a setting in an LD with setting groups."""
        node = self._model.node(slot)
        return node.fc is FC.SE and self._model.placed(slot).domain.name in self._by_domain

    def objection(self, client: Client, slot: int, now: Stamp) -> DataAccessError | None:
        """The error that refuses a write of `client` to the setting at `slot` now; None if it may, or if it is none."""
        if not self.grouped(slot):
            return None
        block = self._by_domain[self._model.placed(slot).domain.name]
        if block.editor is not client or block.settler is client:
            return _UNAVAILABLE
        self._reserve(block, now)
        return None

    # ------------------------------------------------------------------ what clients write

    def question(
        self, client: Client, slot: int, tag: int, contents: bytes, before: Mapping[int, Scalar]
    ) -> Call | DataAccessError | None:
        """The call that writes settings to the field before `write` of the same attribute; an error; None: no call.

        `before` has the values that the same request writes earlier. The verdict is that of a write callback: if it is
        no yes, the active values stay. Either way `settled` has to follow.
        """
        if slot not in self._attributes:
            return None
        block, name = self._attributes[slot]
        if block.settler is not None and name in ("ActSG", "CnfEdit"):
            return _UNAVAILABLE
        kind = self._model.node(slot).kind
        value = None if kind is None else kind.decode(tag, contents)
        active: list[tuple[_Setting, Scalar]] = []
        values = self._model.cache.values
        if name == "ActSG" and isinstance(value, int) and 1 <= value <= block.count:
            active = [(one, one.values[value - 1]) for one in block.settings]
        elif name == "CnfEdit" and value is True and block.editor is client and self._edits_active(block):
            active = [(one, before.get(one.se, values[one.se])) for one in block.settings]  # type: ignore[arg-type]
        there = [(one.sg, setting, values[one.sg]) for one, setting in active if self._process.holds(one.sg)]
        if not there:
            return None
        block.settler, block.until_ns = client, NEVER
        return Call(self._process.write_settings, (there,))

    def settled(self, slot: int, now: Stamp) -> None:
        """End the call of `question` for the attribute at `slot`; an edit that is still open gets its full time again."""
        block, _ = self._attributes[slot]
        block.settler = None
        if block.editor is not None:
            self._reserve(block, now)

    def write(self, client: Client, slot: int, tag: int, contents: bytes, now: Stamp) -> DataAccessError | None:
        """Write one attribute of an SGCB; the error, or None."""
        if slot not in self._attributes:
            return _DENIED
        block, name = self._attributes[slot]
        if name not in ("ActSG", "EditSG", "CnfEdit"):
            return _DENIED
        kind = self._model.node(slot).kind
        assert kind is not None  # noqa: S101 - attributes are leaves
        value = kind.decode(tag, contents)
        if isinstance(value, DataAccessError):
            return value
        services = self._model.server.services
        if name == "ActSG":
            return self._activate(block, int(str(value)), now)
        if not services.sg_edit:
            return DataAccessError.OBJECT_ACCESS_UNSUPPORTED
        if name == "EditSG":
            return self._edit(block, client, int(str(value)), now)
        return self._confirm(block, client, value, now)

    def _activate(self, block: SettingGroupControlBlock, group: int, now: Stamp) -> DataAccessError | None:
        if not 1 <= group <= block.count:
            return _INVALID
        self._load(block, group, now)
        stamp = UtcTime(now.utc_ns, now.time_quality)
        self._commit([(block.slots["ActSG"], group), (block.slots["LActTm"], stamp)], now)
        name = block.domain.name.decode()
        self._persistence.add(Put(ACTIVE, name, bytes((group,))))
        self._persistence.add(Put(ACTIVE, name + _SINCE, stamp.octets()))
        return None

    def _load(self, block: SettingGroupControlBlock, group: int, now: Stamp) -> None:
        self._commit([(setting.sg, setting.values[group - 1]) for setting in block.settings], now)

    def _edit(self, block: SettingGroupControlBlock, client: Client, group: int, now: Stamp) -> DataAccessError | None:
        if not 0 <= group <= block.count:
            return _INVALID
        if (block.editor is not None and block.editor is not client) or block.settler is client:
            return _UNAVAILABLE
        if group == 0:
            self._drop(block, now)
            return None
        block.editor = client
        self._reserve(block, now)
        pairs: list[SlotValue] = [(block.slots["EditSG"], group)]
        pairs += [(setting.se, setting.values[group - 1]) for setting in block.settings]
        self._commit(pairs, now)
        return None

    def _confirm(
        self, block: SettingGroupControlBlock, client: Client, value: Scalar, now: Stamp
    ) -> DataAccessError | None:
        if block.editor is not client:
            return _DENIED
        if value is not True:
            return _INVALID
        group = self._number(block, "EditSG")
        name = block.domain.name.decode()
        for setting in block.settings:
            value = self._model.cache.values[setting.se]  # type: ignore[assignment]
            if value != setting.values[group - 1]:
                setting.values[group - 1] = value
                key = f"{name}/{group}/{setting.key}"
                self._persistence.add(Put(KIND, key, self._model.cache.read(setting.se)))
        if self._edits_active(block):
            self._load(block, group, now)
        self._drop(block, now)
        return None

    # ------------------------------------------------------------------ how an edit ends

    def _reserve(self, block: SettingGroupControlBlock, now: Stamp) -> None:
        if "ResvTms" in block.slots:
            block.until_ns = now.monotonic_ns + block.resv_s * 1_000_000_000
            self._commit([(block.slots["ResvTms"], block.resv_s)], now)

    def _drop(self, block: SettingGroupControlBlock, now: Stamp) -> None:
        block.editor, block.until_ns = None, NEVER
        pairs: list[SlotValue] = [(block.slots["EditSG"], 0)]
        if "ResvTms" in block.slots:
            pairs.append((block.slots["ResvTms"], 0))
        self._commit(pairs, now)

    def closed(self, client: Client, now: Stamp) -> None:
        """`client` is gone: drop its edit, unless it is being written to the field."""
        for block in self._blocks:
            if block.editor is client and block.settler is not client:
                self._drop(block, now)

    def next_deadline_ns(self) -> int:
        """The monotonic time at which the next edit ends by itself."""
        return min((block.until_ns for block in self._blocks), default=NEVER)

    def deadline(self, now: Stamp) -> None:
        """Let time pass: drop the edits whose ResvTms is over."""
        for block in self._blocks:
            if block.until_ns <= now.monotonic_ns:
                self._drop(block, now)

    def _edits_active(self, block: SettingGroupControlBlock) -> bool:
        return self._number(block, "EditSG") == self._number(block, "ActSG")

    def _number(self, block: SettingGroupControlBlock, name: str) -> int:
        return int(self._model.cache.values[block.slots[name]])  # type: ignore[call-overload, no-any-return]


def _block(model: DataModel, placed: PlacedNode) -> SettingGroupControlBlock | None:
    control = placed.source.setting_control
    top = placed.layout.by_suffix.get(b"$SP$SGCB")
    if control is None or top is None:
        return None
    slots = {child.name.decode(): placed.base + child.index for child in top.children}
    block = SettingGroupControlBlock(
        placed.domain, slots, max(control.num_of_sgs, 1), control.resv_tms or DEFAULT_RESV_S
    )
    for one in placed.domain.nodes.values():
        block.settings += _settings(model, one, block.count)
    return block


def _settings(model: DataModel, placed: PlacedNode, count: int) -> Iterator[_Setting]:
    by_index = {index: path for path, indexes in placed.layout.paths.items() for index in indexes}
    for suffix, node in placed.layout.by_suffix.items():
        if node.fc is not FC.SG or node.kind is None:
            continue
        item = placed.name + b"$SE" + suffix[3:]
        se = placed.domain.slot(item)
        if se == UNKNOWN:
            continue
        sg = placed.base + node.index
        given = dict(placed.layout.groups.get(node.index, {}))
        override = placed.source.overrides.get(by_index.get(node.index, ""))
        if override is not None and override.values:
            given = {group: leaves.initial(node.kind, value) for group, value in override.values.items()}
        own = model.cache.values[sg]
        first = next(iter(given.values()), own)  # what the file says nothing of begins as the first that it names
        values = [given.get(group, given.get(0, first)) for group in range(1, count + 1)]
        yield _Setting(item.decode(), sg, se, values)  # type: ignore[arg-type]
