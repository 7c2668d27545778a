"""Path resolution within the types of one LN, for FCDAs and for DOI / SDI / DAI."""

from collections.abc import Iterable
from dataclasses import dataclass

from mapping.model import FC, AttributeType, DataObjectType, LogicalNodeType


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path, with the index of an array's element if there is one."""

    name: str
    index: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Step":
        """`phsAHar(7)` or `mag`; what is in brackets and no number makes a name that nothing has."""
        name, _, rest = text.partition("(")
        number = rest.removesuffix(")")
        return cls(name, int(number)) if rest.endswith(")") and number.isdecimal() else cls(text)

    def __str__(self) -> str:
        return self.name if self.index is None else f"{self.name}({self.index})"


TypeMember = AttributeType | DataObjectType


def walk(ln_type: LogicalNodeType, steps: Iterable[Step]) -> list[TypeMember] | None:
    """The members along `steps`, outermost first; None if one of them is not there or an index is beyond its array."""
    members: Iterable[TypeMember] = ln_type.objects
    found: list[TypeMember] = []
    for step in steps:
        member = next((one for one in members if one.name == step.name), None)
        if member is None or (step.index is not None and step.index >= member.count):
            return None
        found.append(member)
        members = member.members
    return found


def stands_under(members: list[TypeMember], fc: FC) -> bool:
    """True if what `members` lead to has attributes of functional constraint `fc`."""
    for member in members:
        if isinstance(member, AttributeType) and member.fc is not None:
            return _same(member.fc, fc)
    return bool(members) and isinstance(members[-1], DataObjectType) and _has(members[-1], fc)


def _has(one: DataObjectType, fc: FC) -> bool:
    return any(
        _has(member, fc) if isinstance(member, DataObjectType) else member.fc is not None and _same(member.fc, fc)
        for member in one.members
    )


def _same(own: FC, asked: FC) -> bool:
    settings = (FC.SG, FC.SE)
    return own is asked or (own in settings and asked in settings)
