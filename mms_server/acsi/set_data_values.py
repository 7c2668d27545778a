"""SetDataValues: the leaves that a client may write, and their values in its Data (IEC 61850-7-2, SetDataValues).

    FC                              a client may write
    SP SV SE BL CF DC               where the policy or a callback opens it, and valKind is Set
    ST MX SG SR EX OR               never
    RP BR LG GO MS US               as the control block's own file says
    SE, SGCB                        as setting groups say, where the LD has them
    CO                              as control says, SBOw, Oper and Cancel as a whole

Values written to configuration and settings are stored: they survive a restart.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mapping.model import FC
from mms_server.acsi import persisted_values
from mms_server.acsi.access_callbacks import Permissions
from mms_server.acsi.behaviour import Behaviour
from mms_server.acsi.persistence import Persistence, StoredState
from mms_server.acsi.setting_groups import SettingGroups
from mms_server.mms.data import Kind, Scalar
from mms_server.mms.errors import DataAccessError
from mms_server.model.tree import DataModel
from mms_server.stack import ber

OPEN_TO_CLIENTS: Final = frozenset({FC.SP, FC.SV, FC.SE, FC.BL, FC.CF, FC.DC})
KEPT: Final = frozenset({FC.SP, FC.SE, FC.CF, FC.DC})
KIND: Final = "value"
_LIMITED: Final = (b"setMag", b"setVal")
_DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
_INCONSISTENT: Final = DataAccessError.TYPE_INCONSISTENT

LeafValues = list[tuple[int, Scalar]]


class SetDataValues(Behaviour):
    """The writes of clients to one server, as its `permissions` say; what they have written before is given back."""

    def __init__(
        self,
        model: DataModel,
        persistence: Persistence,
        stored: StoredState | None,
        permissions: Permissions,
        setting_groups: SettingGroups,
    ) -> None:
        self.model = model
        self.persistence = persistence
        self.permissions = permissions
        self.setting_groups = setting_groups
        self.problems = [] if stored is None else self._restored(stored)

    def _restored(self, stored: StoredState) -> list[str]:
        """Restore the values that clients have written before; one sentence for each that the model has no more."""
        problems = []
        for key, octets in stored.values.get(KIND, {}).items():
            domain, _, item = key.partition("/")
            slot = self.model.slot(domain.encode("ascii", "replace"), item.encode("ascii", "replace"))
            if slot < 0 or not persisted_values.restore(self.model, slot, octets):
                problems.append(f"the value written to {key} is left out: the model has no such attribute any more")
            else:
                self.model.given.add(slot)
        return problems

    def objection(self, slot: int) -> DataAccessError | None:
        """The error that refuses every write to the variable at `slot`; None if it is writable."""
        node = self.model.node(slot)
        if node.fc not in OPEN_TO_CLIENTS:
            return _DENIED
        if node.suffix is not None and node.suffix.count(b"$") < 2:
            return _DENIED  # all of a functional constraint at once
        if node.fc not in self.permissions.open_fcs and self.permissions.writes.of(slot) is None:
            return _DENIED
        locked = self.model.locked
        return _DENIED if any(one in locked for one in range(slot, slot + node.size)) else None

    def pairs(self, slot: int, octets: bytes, start: int, end: int) -> LeafValues | DataAccessError:
        """The values that the Data at `octets[start:end]` give the leaves at and below `slot`, or the error.

        Raises WireError for octets that are no Data.
        """
        pairs = self.values(slot, octets, start, end)
        if isinstance(pairs, DataAccessError):
            return pairs
        if any(not self._within_limits(leaf, value) for leaf, value in pairs):
            return DataAccessError.OBJECT_VALUE_INVALID
        return pairs

    def values(
        self, slot: int, octets: bytes, start: int, end: int, instead: Mapping[int, Kind] = MappingProxyType({})
    ) -> LeafValues | DataAccessError:
        """As `pairs`, without limits; leaves in `instead` are decoded by the types given there.

        Raises WireError for octets that are no Data.
        """
        pairs: LeafValues = []
        wrong = self._lay(slot, octets, start, end, pairs, instead)
        return pairs if wrong is None else wrong

    def _lay(
        self, slot: int, octets: bytes, start: int, end: int, pairs: LeafValues, instead: Mapping[int, Kind]
    ) -> DataAccessError | None:
        node = self.model.node(slot)
        tag, first, after = ber.header(octets, start, end)
        if after != end:
            return _INCONSISTENT
        if node.kind is not None:
            value = instead.get(slot, node.kind).decode(tag, octets[first:after])
            if isinstance(value, DataAccessError):
                return value
            pairs.append((slot, value))
            return None
        if tag != node.tag:
            return _INCONSISTENT
        for offset in node.offsets:
            if first >= after:
                return _INCONSISTENT
            _, _, next_first = ber.header(octets, first, after)
            wrong = self._lay(slot + offset, octets, first, next_first, pairs, instead)
            if wrong is not None:
                return wrong
            first = next_first
        return None if first == after else _INCONSISTENT

    def _within_limits(self, slot: int, value: Scalar) -> bool:
        """True unless the object has a minVal or maxVal that `value` is beyond."""
        suffix = self.model.node(slot).suffix
        if suffix is None or isinstance(value, bool) or not isinstance(value, int | float):
            return True
        steps = suffix.split(b"$")
        at = next((at for at, step in enumerate(steps) if step in _LIMITED), None)
        if at is None:
            return True
        low = self._limit(slot, [*steps[2:at], b"minVal", *steps[at + 1 :]])
        high = self._limit(slot, [*steps[2:at], b"maxVal", *steps[at + 1 :]])
        return (low is None or value >= low) and (high is None or value <= high)

    def _limit(self, slot: int, steps: list[bytes]) -> float | None:
        placed = self.model.placed(slot)
        node = placed.layout.by_suffix.get(b"$CF$" + b"$".join(steps))
        if node is None or node.kind is None or placed.base + node.index not in self.model.given:
            return None
        limit = self.model.cache.values[placed.base + node.index]
        return limit if isinstance(limit, int | float) else None

    def written(self, pairs: LeafValues) -> None:
        """Store the values that a client has written, where they are to survive a restart."""
        for slot, _ in pairs:
            node = self.model.node(slot)
            self.model.given.add(slot)
            if node.fc in KEPT and node.suffix is not None and not self.setting_groups.grouped(slot):
                placed = self.model.placed(slot)
                key = (placed.domain.name + b"/" + placed.name + node.suffix).decode()
                persisted_values.keep(self.persistence, KIND, key, self.model, slot)
