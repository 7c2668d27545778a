"""Tracking objects: the data objects of an LN of class LTRK, which show the last service of their kind (IEC 61850-7-2, -7-4).

    CTS   SpcTrk DpcTrk IncTrk EncTrk1 ApcFTrk ApcIntTrk BscTrk IscTrk BacTrk    controls, by the name
    BTS UTS LTS GTS MTS NTS STS                                                  control blocks, by the CDC
    CST   GenTrk                                                                 other services that change something

All their attributes are under SR. One that a type lacks is passed over; an attribute that a service does not have shows the
file's default, so that nothing of an older service stays.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from mapping.model import DataObjectType
from mms_server.acsi.controllable_objects import ControlObject
from mms_server.mms.data import Kind, Scalar, VisibleString
from mms_server.model.layout import Node
from mms_server.model.tree import DataModel, PlacedNode

LN_CLASS: Final = "LTRK"
CDCS: Final = frozenset({"CTS", "BTS", "UTS", "LTS", "OTS", "GTS", "MTS", "NTS", "STS", "CST"})
_OF_CONTROL: Final[Mapping[str, tuple[str, ...]]] = {
    "SPC": ("SpcTrk",), "DPC": ("DpcTrk",), "INC": ("IncTrk",), "ENC": ("EncTrk",), "BSC": ("BscTrk",),
    "ISC": ("IscTrk",), "APC": ("ApcFTrk", "ApcIntTrk"), "BAC": ("BacTrk",),
}  # fmt: skip


@dataclass(frozen=True, eq=False, slots=True)
class TrackingObject:
    """One tracking object; `leaves` are its attributes by path (`origin$orCat`): slot, type, and the file's default."""

    placed: PlacedNode
    name: str
    cdc: str
    node: Node
    leaves: Mapping[str, tuple[int, Kind, Scalar]]

    def filled(self, values: Mapping[str, object]) -> list[tuple[int, object]]:
        """Every attribute with its value in `values`, by name, or its default; structures are dicts of their members."""
        flat = dict(_flat(values, ""))
        return [
            (slot, _fitting(kind, flat[path], default) if path in flat else default)
            for path, (slot, kind, default) in self.leaves.items()
        ]

    def likeness(self, ctl_val: Node | None) -> int:
        """Likeness of its ctlVal to that of a control: 2 the same type, 1 the same on the wire or none, 0 another one."""
        own = self.node.child(b"ctlVal")
        return 1 if own is None or ctl_val is None else _likeness(own, ctl_val)


def _flat(values: Mapping[str, object], above: str) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}$")
        else:
            yield above + name, value


def _fitting(kind: Kind, value: object, default: Scalar) -> Scalar:
    """`value` as a leaf of that type keeps it: a reference that is too long is cut, a value that does not fit is `default`."""
    if isinstance(kind, VisibleString) and isinstance(value, str):
        value = value[: kind.characters]
    try:
        return kind.check(value)
    except (TypeError, ValueError):
        return default


def _likeness(own: Node, other: Node) -> int:
    if own.kind is not None or other.kind is not None:
        return 2 if own.kind == other.kind else int(own.description == other.description)
    pairs = ((child, other.child(child.name)) for child in own.children)
    return max((_likeness(child, like) for child, like in pairs if like is not None), default=0)


def tracking_objects(model: DataModel) -> Iterator[TrackingObject]:
    """Every tracking object of `model`, in the file's order."""
    for placed in model.nodes():
        for one in placed.source.type.objects if placed.source.ln_class == LN_CLASS else ():
            node = placed.layout.by_suffix.get(f"$SR${one.name}".encode("ascii", "replace"))
            if one.cdc in CDCS and node is not None:
                yield TrackingObject(placed, one.name, one.cdc, node, dict(_leaves(placed, node, "")))


def _leaves(placed: PlacedNode, node: Node, above: str) -> Iterator[tuple[str, tuple[int, Kind, Scalar]]]:
    for child in node.children if not node.array else ():
        path = above + child.name.decode()
        if child.kind is None:
            yield from _leaves(placed, child, f"{path}$")
        else:
            default = placed.layout.defaults[child.index]
            assert default is not None  # noqa: S101 - a leaf has one
            yield path, (placed.base + child.index, child.kind, default)


def tracker_of(one: ControlObject, objects: list[TrackingObject]) -> TrackingObject | None:
    """The one of `objects` that tracks the control `one`: by its CDC, and where several do by the type of ctlVal."""
    names = _OF_CONTROL.get(_cdc(one), ())
    oper = one.node.child(b"Oper")
    ctl_val = None if oper is None else oper.child(b"ctlVal")
    named = (tracker for tracker in objects if tracker.cdc == "CTS" and tracker.name.rstrip("0123456789") in names)
    found = [(likeness, tracker) for tracker in named if (likeness := tracker.likeness(ctl_val))]
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _cdc(one: ControlObject) -> str:
    members: tuple[object, ...] = one.placed.source.type.objects
    cdc = ""
    for step in one.path.decode().split("$"):
        found = next((own for own in members if isinstance(own, DataObjectType) and own.name == step), None)
        if found is None:
            return ""
        cdc, members = found.cdc, found.members
    return cdc
