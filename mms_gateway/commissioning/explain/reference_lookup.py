"""Lookup of a reference: the attribute and the IED that it names, in the models of a compiled site (pure)."""

from dataclasses import dataclass

from mapping.compile import Compiled, Mapped
from mapping.diagnostics import did_you_mean
from mapping.located_yaml.validated import nearest
from mapping.model import FC, AttributeType, BasicType, DataObjectType, LogicalDevice, LogicalNode
from mapping.passes.value_attributes import DataObject
from mapping.references import ObjectReference
from mapping.scl.resolving import Step
from mms_gateway.commissioning.explain.name_lookup import NotThereError


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute with all that stands above it."""

    mapped: Mapped
    ld: LogicalDevice
    ln: LogicalNode
    object: DataObject  # the innermost data object around it
    steps: tuple[str, ...]  # of its path below the LN
    fc: FC
    type: AttributeType

    @property
    def item(self) -> str:
        """The MMS name, `DOMAIN/LN$FC$DO$DA`."""
        return f"{self.ld.name}/{'$'.join((self.ln.name, self.fc.value, *self.steps))}"

    @property
    def reference(self) -> str:
        """ACSI, the LD by its inst."""
        return f"{self.ld.inst}/{'.'.join((self.ln.name, *self.steps))}"


def named(compiled: Compiled, text: str) -> Attribute:
    """The attribute that `text` names; of a data object its value. Raises NotThereError that offers what there is."""
    try:
        reference = ObjectReference.parse(text)
    except ValueError as error:
        raise NotThereError(str(error)) from error
    mapped, ld = _device(compiled, reference.ld)
    ln = next((one for one in ld.nodes if one.name == reference.ln), None)
    if ln is None:
        raise _unknown("logical node", reference.ln, ld.inst, [one.name for one in ld.nodes])
    if not reference.path:
        names = ", ".join(one.name for one in ln.type.objects)
        raise NotThereError(f"`{text}` is a whole logical node, expected a data object of it or an attribute: {names}")
    return _walked(mapped, ld, ln, reference.path)


def _device(compiled: Compiled, name: str) -> tuple[Mapped, LogicalDevice]:
    known = [(mapped, ld) for mapped in compiled.mapped for ld in mapped.server.devices]
    for mapped, ld in known:
        if name in (ld.inst, ld.name):
            return mapped, ld
    raise _unknown("logical device", name, "this site", [ld.inst for _, ld in known])


def _walked(mapped: Mapped, ld: LogicalDevice, ln: LogicalNode, path: tuple[str, ...]) -> Attribute:
    members: tuple[DataObjectType | AttributeType, ...] = ln.type.objects
    owner: DataObject | None = None
    fc: FC | None = None
    where = f"{ld.inst}/{ln.name}"
    found: DataObjectType | AttributeType | None = None
    for depth, text in enumerate(path):
        step = Step.parse(text)
        found = next((one for one in members if one.name == step.name), None)
        if found is None:
            raise _unknown("attribute" if depth else "data object", text, where, [one.name for one in members])
        if isinstance(found, DataObjectType):
            owner = DataObject(ld, ln, path[: depth + 1], found)
        else:
            fc = fc or found.fc
        where, members = f"{where}.{text}", tuple(found.members)
    if owner is not None and isinstance(found, AttributeType) and fc and found.basic is not BasicType.STRUCT:
        return Attribute(mapped, ld, ln, owner, path, fc, found)
    leaf = owner.value_leaves()[0] if owner is not None and isinstance(found, DataObjectType) and _has(owner) else None
    if owner is None or leaf is None:
        inner = ", ".join(one.name for one in members)
        raise NotThereError(f"`{where}` is a structure without a value of its own, expected one of its parts: {inner}")
    return Attribute(mapped, ld, ln, owner, leaf.path, leaf.fc, leaf.attribute)


def _has(owner: DataObject) -> bool:
    return bool(owner.value_leaves())


def _unknown(kind: str, name: str, where: str, known: list[str]) -> NotThereError:
    hint = did_you_mean(nearest(name, known)) or f"there are {', '.join(known[:20])}"
    return NotThereError(f"no {kind} `{name}` in {where}: {hint}")
