"""Data sets: members in order, each a slot; read by joining what the cache holds."""

from dataclasses import dataclass
from functools import cached_property

from mms_server.mms import access
from mms_server.mms.access import AccessSelection, Component, Range
from mms_server.mms.report import Members


@dataclass(frozen=True, slots=True)
class PlacedMember:
    """One FCD or FCDA: its slot, and the name by which clients know it.

    For a part of an array `selection` is the element's index and the component in MMS form, empty for the whole element.
    """

    slot: int
    domain: bytes
    item: bytes
    selection: tuple[int, bytes] | None = None

    @property
    def reference(self) -> str:
        """The data reference in reports: `LD/LN$FC$DO$DA`, an element of an array as `...$HA(7)$cVal`."""
        text = f"{self.domain.decode()}/{self.item.decode()}"
        if self.selection is None:
            return text
        index, component = self.selection
        return f"{text}({index})" + (f"${component.decode()}" if component else "")

    def encoded(self) -> bytes:
        """The member as one variable of a GetNamedVariableListAttributes response."""
        if self.selection is None:
            return access.encode_variable(self.domain, self.item)
        index, component = self.selection
        inner: tuple[AccessSelection, ...] = ()
        for name in reversed([part for part in component.split(b"$") if part]):
            inner = (AccessSelection(Component(name), inner),)
        return access.encode_variable(self.domain, self.item, AccessSelection(Range(index, 1, single=True), inner))


@dataclass(frozen=True)
class DataSet:
    """A named variable list: `LN$name` within its domain."""

    name: bytes
    members: tuple[PlacedMember, ...]
    deletable: bool

    @cached_property
    def slots(self) -> tuple[int, ...]:
        """The slots of its members; the same tuple for every plan that reads them."""
        return tuple(member.slot for member in self.members)

    @cached_property
    def told(self) -> Members:
        """Its members as reports have them."""
        return Members([member.reference for member in self.members])
