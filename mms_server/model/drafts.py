"""From the engineered types to drafts of nodes: functional constraints on top, settings twice, arrays unrolled.

SCL has LN / DO / DA with a functional constraint on each DA; MMS shows LN / FC / DO / DA. A setting stands in the file
once, as SE (or SG in Edition 1), and online under both: SG is the active group, SE the one being edited.
"""

from collections.abc import Iterable, Mapping

from mapping.model import FC, AttributeType, BasicType, DataObjectType, LogicalNodeType, Scalar
from mms_server.mms.data import OctetString
from mms_server.model import leaves
from mms_server.model.layout import DCHG, DUPD, QCHG, Draft

_PHY_COM_ADDR = (
    ("Addr", OctetString(6), b""),
    ("PRIORITY", leaves.INT8U, 0),
    ("VID", leaves.INT16U, 0),
    ("APPID", leaves.INT16U, 0),
)


def data_drafts(ln_type: LogicalNodeType) -> dict[FC, list[Draft]]:
    """The DOs of each functional constraint that the type has, both in order."""
    return {fc: drafts for fc in FC if (drafts := _objects(ln_type.objects, fc, ""))}


def _objects(objects: Iterable[DataObjectType], fc: FC, above: str) -> list[Draft]:
    return [draft for one in objects if (draft := _object(one, fc, above)) is not None]


def _object(one: DataObjectType, fc: FC, above: str) -> Draft | None:
    path = f"{above}.{one.name}" if above else one.name
    if not one.count:
        members = _members(one, fc, path)
        return Draft(one.name, members) if members else None
    elements = [Draft(one.name, _members(one, fc, f"{path}({index})")) for index in range(one.count)]
    return Draft(one.name, elements, array=True) if elements[0].members else None


def _members(one: DataObjectType, fc: FC, path: str) -> list[Draft]:
    members: list[Draft] = []
    for member in one.members:
        if isinstance(member, DataObjectType):
            below = _object(member, fc, path)
            if below is not None:
                members.append(below)
        elif _stands_under(member.fc, fc):
            members.append(_attribute(member, one.name, path, _triggers(member, 0)))
    return members


def _stands_under(own: FC | None, fc: FC) -> bool:
    return own is fc or (own in (FC.SG, FC.SE) and fc in (FC.SG, FC.SE))


def _triggers(attribute: AttributeType, inherited: int) -> int:
    own = (DCHG if attribute.dchg else 0) | (QCHG if attribute.qchg else 0) | (DUPD if attribute.dupd else 0)
    return own | inherited


def _attribute(attribute: AttributeType, object_name: str, above: str, triggers: int) -> Draft:
    path = f"{above}.{attribute.name}"
    if not attribute.count:
        return _element(attribute, object_name, path, triggers)
    elements = [_element(attribute, object_name, f"{path}({index})", triggers) for index in range(attribute.count)]
    return Draft(attribute.name, elements, array=True)


def _element(attribute: AttributeType, object_name: str, path: str, triggers: int) -> Draft:
    if attribute.basic is BasicType.STRUCT:
        below = [_attribute(one, object_name, path, _triggers(one, triggers)) for one in attribute.members]
        return Draft(attribute.name, below)
    if attribute.basic is BasicType.PHY_COM_ADDR:
        parts = [Draft(name, kind=kind, default=value, path=f"{path}.{name}") for name, kind, value in _PHY_COM_ADDR]
        return Draft(attribute.name, parts)
    kind = leaves.kind_of(attribute)
    default = group_value(attribute.values, 1, leaves.default_of(attribute, object_name))
    return Draft(attribute.name, kind=kind, default=leaves.cache_value(kind, default), triggers=triggers, path=path)


def group_value(values: Mapping[int, Scalar], group: int, otherwise: Scalar) -> Scalar:
    """What a file that gives `values` by setting group (0: named none) says for `group`."""
    return values.get(group, values.get(0, otherwise))
