"""Variable access: names, lists, and alternate access inside them (ISO 9506-2, VariableAccessSpecification).

A0 { 30 { A0 { name }  [A5 { selections }] } ... }          list of variables
A1 { name }                                                 named variable list

selection   A0 { 80 component | 81 index | A2 range | 83 all,  30 { selections of what was chosen } }
            81 component | 82 index | A3 range | 84 all      and no further
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

from mms_server.mms import names
from mms_server.mms.errors import ArgumentError
from mms_server.mms.names import ObjectName
from mms_server.stack import ber

SELECTION_DEPTH: Final = 8
_ALTERNATE: Final = 0x80


class Component(NamedTuple):
    """A member of a structure by its name."""

    name: bytes


class Range(NamedTuple):
    """`length` elements of an array from `low`; `single` if the element itself is meant and not an array of one."""

    low: int
    length: int
    single: bool


class Everything(NamedTuple):
    """All elements of an array."""


Choice = Component | Range | Everything


@dataclass(frozen=True, slots=True)
class AccessSelection:
    """One AlternateAccessSelection: the part of a variable, and the parts inside that; `inner` empty: all of it."""

    choice: Choice
    inner: tuple["AccessSelection", ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of a list; `raw` is its name as the peer wrote it. `name` None: no name was used (an address, say)."""

    name: ObjectName | None
    raw: bytes
    selections: tuple[AccessSelection, ...] = ()


def decode(buffer: bytes, start: int, end: int) -> tuple[Variable, ...] | ObjectName:
    """The variables, or the name of a list, that fill `buffer[start:end]`. Raises ArgumentError or WireError."""
    tag, first, after = ber.header(buffer, start, end)
    if after != end:
        raise ArgumentError("octets behind the variable access specification")
    if tag == 0xA1:
        return names.decode(buffer, first, after)
    if tag != 0xA0:
        raise ArgumentError(f"tag {tag:02x}, expected a list of variables or the name of a list")
    variables = []
    while first < after:
        tag, start, first_after = ber.header(buffer, first, after)
        if tag != 0x30:
            raise ArgumentError(f"tag {tag:02x}, expected a variable")
        variables.append(_variable(buffer, start, first_after))
        first = first_after
    if not variables:
        raise ArgumentError("an empty list of variables")
    return tuple(variables)


def _variable(buffer: bytes, start: int, end: int) -> Variable:
    tag, first, after = ber.header(buffer, start, end)
    selections: tuple[AccessSelection, ...] = ()
    if after != end:
        alternate, inner, inner_end = ber.header(buffer, after, end)
        if alternate != 0xA5 or inner_end != end:
            raise ArgumentError(f"tag {alternate:02x} behind the variable, expected an alternate access")
        selections = _selections(buffer, inner, inner_end, 0)
    if tag != 0xA0:
        return Variable(None, b"", selections)
    return Variable(names.decode(buffer, first, after), buffer[first:after], selections)


def _selections(buffer: bytes, start: int, end: int, depth: int) -> tuple[AccessSelection, ...]:
    if depth > SELECTION_DEPTH:
        raise ArgumentError(f"alternate access deeper than {SELECTION_DEPTH}")
    found = []
    while start < end:
        tag, first, after = ber.header(buffer, start, end)
        if tag == 0xA5:  # a named one: its name changes nothing for a Read
            _, _, named = ber.header(buffer, first, after)
            tag, first, inner_end = ber.header(buffer, named, after)
            if inner_end != after:
                raise ArgumentError("octets behind a named selection")
        found.append(_selection(buffer, tag, first, after, depth))
        start = after
    if not found:
        raise ArgumentError("an empty alternate access")
    return tuple(found)


def _selection(buffer: bytes, tag: int, start: int, end: int, depth: int) -> AccessSelection:
    if tag != 0xA0:
        return AccessSelection(_choice(buffer, tag - 1, start, end))
    tag, first, after = ber.header(buffer, start, end)
    choice = _choice(buffer, tag, first, after)
    tag, first, after = ber.header(buffer, after, end)
    if tag != 0x30 or after != end:
        raise ArgumentError(f"tag {tag:02x}, expected one sequence of what to take of a selection")
    return AccessSelection(choice, _selections(buffer, first, after, depth + 1))


def _choice(buffer: bytes, tag: int, start: int, end: int) -> Choice:
    match tag:
        case 0x80:
            return Component(buffer[start:end])
        case 0x81:
            return Range(ber.decode_unsigned(buffer, start, end), 1, single=True)
        case 0xA2:
            first, low_start, low_end = ber.header(buffer, start, end)
            second, count_start, count_end = ber.header(buffer, low_end, end)
            if (first, second, count_end) != (0x80, 0x81, end):
                raise ArgumentError("an index range that is no pair of numbers")
            low = ber.decode_unsigned(buffer, low_start, low_end)
            return Range(low, ber.decode_unsigned(buffer, count_start, count_end), single=False)
        case 0x83:
            return Everything()
        case _:
            raise ArgumentError(f"tag {tag:02x}, expected a component, an index, a range or all elements")


def encode_variable(domain: bytes, item: bytes, selection: AccessSelection | None = None) -> bytes:
    """One variable of a list: its name, and the one selection that it needs if it is part of an array."""
    alternate = b"" if selection is None else ber.tlv(0xA5, _encode_selection(selection))
    return ber.tlv(0x30, ber.tlv(0xA0, names.encode(domain, item)) + alternate)


def _encode_selection(selection: AccessSelection) -> bytes:
    if not selection.inner:
        return _encode_choice(selection.choice, 1)
    inner = b"".join(_encode_selection(one) for one in selection.inner)
    return ber.tlv(0xA0, _encode_choice(selection.choice, 0) + ber.tlv(0x30, inner))


def _encode_choice(choice: Choice, shift: int) -> bytes:
    match choice:
        case Component(name):
            return ber.tlv(_ALTERNATE + shift, name)
        case Range(low, _, True):
            return ber.tlv(_ALTERNATE + 1 + shift, ber.unsigned(low))
        case Range(low, length, _):
            return ber.tlv(0xA2 + shift, ber.tlv(0x80, ber.unsigned(low)) + ber.tlv(0x81, ber.unsigned(length)))
        case Everything():
            return ber.tlv(_ALTERNATE + 3 + shift, b"")
