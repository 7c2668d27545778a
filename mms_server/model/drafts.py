"""Drafts of nodes from the engineered types: functional constraints on top, settings twice, arrays unrolled.

SCL has LN / DO / DA with a functional constraint on each DA; MMS shows LN / FC / DO / DA. A setting stands in the file
once, as SE (or SG in Edition 1), and online under both: SG is the active group, SE the one being edited.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from mapping.model import FC, AttributeType, BasicType, DataObjectType, LogicalNodeType, Scalar
from mms_server.mms.data import OctetString
from mms_server.model import leaves
from mms_server.model.layout import DCHG, DUPD, QCHG, Draft

_PHY_COM_ADDR: Final = (
    ("Addr", OctetString(6, fixed=True), bytes(6)),
    ("PRIORITY", leaves.INT8U, 0),
    ("VID", leaves.INT16U, 0),
    ("APPID", leaves.INT16U, 0),
)
_SETTINGS: Final = frozenset({FC.SG, FC.SE})


def data_drafts(ln_type: LogicalNodeType, active_group: int) -> dict[FC, list[Draft]]:
    """The DOs of each functional constraint that the type has, both in order."""
    return {fc: drafts for fc in FC if (drafts := _Drafting(fc, active_group).objects(ln_type.objects, ""))}


def group_value(values: Mapping[int, Scalar], group: int) -> Scalar:
    """The value for `group` in a file's `values` by setting group (0: no group named); the first where it has none."""
    return values.get(group, values.get(0, next(iter(values.values()))))


class _Drafting:
    """Draws what one functional constraint shows; under SG the values of the active group, under SE those of the first."""

    def __init__(self, fc: FC, active_group: int) -> None:
        self._fc = fc
        self._group = active_group if fc is FC.SG else 1

    def objects(self, objects: Iterable[DataObjectType], above: str) -> list[Draft]:
        """The DOs that have something of this functional constraint."""
        return [draft for one in objects if (draft := self._object(one, above)) is not None]

    def _object(self, one: DataObjectType, above: str) -> Draft | None:
        path = f"{above}.{one.name}" if above else one.name
        if not one.count:
            members = self._members(one, path)
            return Draft(one.name, members) if members else None
        elements = [Draft(one.name, self._members(one, f"{path}({index})")) for index in range(one.count)]
        return Draft(one.name, elements, array=True) if elements[0].members else None

    def _members(self, one: DataObjectType, path: str) -> list[Draft]:
        members: list[Draft] = []
        for member in one.members:
            if isinstance(member, DataObjectType):
                members += self.objects((member,), path)
            elif member.fc is self._fc or {member.fc, self._fc} <= _SETTINGS:
                members.append(self._attribute(member, _Above(one.name, path)))
        return members

    def _attribute(self, attribute: AttributeType, above: "_Above") -> Draft:
        inside = above.of(attribute)
        if not attribute.count:
            return self._element(attribute, inside)
        elements = [
            self._element(attribute, replace(inside, path=f"{inside.path}({index})"))
            for index in range(attribute.count)
        ]
        return Draft(attribute.name, elements, array=True)

    def _element(self, attribute: AttributeType, own: "_Above") -> Draft:
        name = attribute.name
        if attribute.basic is BasicType.STRUCT:
            return Draft(name, [self._attribute(one, own) for one in attribute.members])
        if attribute.basic is BasicType.PHY_COM_ADDR:
            parts = [Draft(part, (), kind, value, own.triggers) for part, kind, value in _PHY_COM_ADDR]
            return Draft(name, parts)
        kind = leaves.kind_of(attribute)
        given = attribute.values
        default = group_value(given, self._group) if given else leaves.default_of(attribute, own.object_name)
        return Draft(
            name,
            (),
            kind,
            leaves.initial(kind, default),
            own.triggers,
            path=own.path,
            locked=own.locked,
            given=bool(given),
            groups={group: leaves.initial(kind, one) for group, one in given.items()} if self._fc in _SETTINGS else {},
        )


@dataclass(frozen=True, slots=True)
class _Above:
    """The context of an attribute: its object's name, its path, the triggers above, and if it is read-only."""

    object_name: str
    path: str
    triggers: int = 0
    locked: bool = False

    def of(self, attribute: AttributeType) -> "_Above":
        return _Above(
            self.object_name,
            f"{self.path}.{attribute.name}",
            self.triggers | _triggers(attribute),
            self.locked or attribute.val_kind != "Set",
        )


def _triggers(attribute: AttributeType) -> int:
    return (DCHG if attribute.dchg else 0) | (QCHG if attribute.qchg else 0) | (DUPD if attribute.dupd else 0)
