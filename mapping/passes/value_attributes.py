"""Value attributes: the leaf of a data object that carries its value, by its CDC (IEC 61850-7-3)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mapping.model import (
    FC,
    AttributeType,
    BasicType,
    DataObjectType,
    LogicalDevice,
    LogicalNode,
    Scalar,
)

VALUE_PATHS: Mapping[str, tuple[str, ...]] = {
    "MV": ("mag",), "CMV": ("cVal.mag",), "SAV": ("instMag",), "BCR": ("actVal",),
    "SPS": ("stVal",), "DPS": ("stVal",), "INS": ("stVal",), "ENS": ("stVal",), "ACT": ("general",), "ACD": ("general",),
    "SPC": ("stVal",), "DPC": ("stVal",), "INC": ("stVal",), "ENC": ("stVal",), "ISC": ("valWTr.posVal",),
    "BSC": ("valWTr.posVal",), "APC": ("mxVal",), "BAC": ("mxVal",), "VSS": ("stVal",), "SEC": ("cnt",),
    "SPG": ("setVal",), "ING": ("setVal",), "ENG": ("setVal",), "ASG": ("setMag",), "VSG": ("setVal",),
}  # fmt: skip
"""Path of the value below a data object, by CDC; an analogue value is its `f` or its `i`."""

INSTANTANEOUS: Mapping[str, str] = {"mag": "instMag", "cVal.mag": "instCVal.mag"}
CONTROLLABLE = frozenset({"SPC", "DPC", "INC", "ENC", "BSC", "ISC", "APC", "BAC"})
OWN_NODES = frozenset({"LTRK"})
OWN_OBJECTS = frozenset({"Mod", "Beh", "Health", "PhyHealth", "NamPlt", "PhyNam", "Proxy"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """An attribute that holds a value: its MMS item path below the LN, and its type."""

    fc: FC
    path: tuple[str, ...]
    attribute: AttributeType

    def target(self, domain: str, ln: str) -> str:
        """`DOMAIN/LN$FC$DO$DA`."""
        return f"{domain}/{'$'.join((ln, self.fc.value, *self.path))}"


@dataclass(frozen=True, slots=True)
class DataObject:
    """A DO or SDO at its place."""

    ld: LogicalDevice
    ln: LogicalNode
    path: tuple[str, ...]
    type: DataObjectType

    @property
    def reference(self) -> str:
        """ACSI, with the LD's inst."""
        return f"{self.ld.inst}/{'.'.join((self.ln.name, *self.path))}"

    def leaf(self, dotted: str) -> Leaf | None:
        """The leaf at `dotted` below it; of an analogue value its `f`, or its `i`."""
        found = _walk(self.type.members, dotted.split("."))
        if found is None:
            return None
        fc, attribute = found
        path = (*self.path, *dotted.split("."))
        if attribute.basic is not BasicType.STRUCT:
            return None if attribute.count else Leaf(fc, path, attribute)
        for name in ("f", "i"):
            inner = next((one for one in attribute.members if one.name == name), None)
            if inner is not None:
                return Leaf(fc, (*path, name), inner)
        return None

    def value_leaves(self) -> list[Leaf]:
        """The leaf of its value and, where it has one, that of the instantaneous value beside it, in this order."""
        for dotted in VALUE_PATHS.get(self.type.cdc, ()):
            value = self.leaf(dotted)
            beside = self.leaf(INSTANTANEOUS[dotted]) if dotted in INSTANTANEOUS else None
            leaves = [leaf for leaf in (value, beside) if leaf is not None]
            if leaves:
                return leaves
        return []

    def companion(self, name: str, fc: FC) -> Leaf | None:
        """Its `q` or `t` of the same functional constraint."""
        leaf = self.leaf(name)
        return leaf if leaf is not None and leaf.fc is fc else None

    def parts(self) -> list["DataObject"]:
        """Its SDOs, of which each has a value of its own."""
        return [one for one in data_objects(self.ld, self.ln) if one.path[:-1] == self.path]

    def configured(self, dotted: str) -> Scalar | None:
        """The value that the file gives a leaf below it, in the instance or in the type; None if it gives none."""
        override = self.ln.overrides.get(".".join((*self.path, dotted)))
        found = _walk(self.type.members, dotted.split("."))
        values = (override.values if override else None) or (found[1].values if found else {})
        return next(iter(values.values()), None)


Members = Sequence[AttributeType | DataObjectType]


def _walk(members: Members, steps: Sequence[str]) -> tuple[FC, AttributeType] | None:
    fc: FC | None = None
    attribute: AttributeType | None = None
    for step in steps:
        member = next((one for one in members if one.name == step), None)
        if not isinstance(member, AttributeType):
            return None
        fc, attribute, members = fc or member.fc, member, member.members
    return (fc, attribute) if fc is not None and attribute is not None else None


def find(ld: LogicalDevice, ln: LogicalNode, path: Sequence[str]) -> DataObject | tuple[DataObject, Leaf] | None:
    """The data object at `path`, or the leaf with the data object that it belongs to; None if neither, or in an array."""
    objects: Members = ln.type.objects
    owner: DataObject | None = None
    for depth, step in enumerate(path):
        member = next((one for one in objects if one.name == step), None)
        if isinstance(member, DataObjectType) and not member.count:
            owner, objects = DataObject(ld, ln, tuple(path[: depth + 1]), member), member.members
            continue
        leaf = None if owner is None or member is None else owner.leaf(".".join(path[depth:]))
        exact = leaf is not None and leaf.path == tuple(path)
        return (owner, leaf) if owner is not None and leaf is not None and exact else None
    return owner


def data_objects(ld: LogicalDevice, ln: LogicalNode) -> Iterator[DataObject]:
    """Every DO and SDO of an LN that is no array, outermost first."""
    pending = [DataObject(ld, ln, (one.name,), one) for one in ln.type.objects if not one.count]
    while pending:
        current = pending.pop(0)
        yield current
        pending = [
            DataObject(ld, ln, (*current.path, one.name), one)
            for one in current.type.members
            if isinstance(one, DataObjectType) and not one.count
        ] + pending
