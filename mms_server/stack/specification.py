"""Building blocks of the association's pyasn1 specifications, and their decoder and encoder.

pyasn1 raises its own errors for what it does not like, and a few of Python's for what it did not foresee; both become
WireError at this border.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import namedtype, tag, univ

from mms_server.stack.definite import definite
from mms_server.stack.errors import WireError


def context(number: int, constructed: bool = False) -> tag.Tag:
    """The context tag `[number]`."""
    return tag.Tag(tag.tagClassContext, tag.tagFormatConstructed if constructed else tag.tagFormatSimple, number)


def application(number: int) -> tag.Tag:
    """The constructed application tag `[APPLICATION number]`."""
    return tag.Tag(tag.tagClassApplication, tag.tagFormatConstructed, number)


def implicit(kind: Any, number: int) -> Any:
    """`[number] IMPLICIT kind`."""
    constructed = isinstance(kind, univ.SequenceOfAndSetOfBase | univ.SequenceAndSetBase)
    return kind.subtype(implicitTag=context(number, constructed))


def explicit(kind: Any, number: int) -> Any:
    """`[number] EXPLICIT kind`."""
    return kind.subtype(explicitTag=context(number, constructed=True))


def required(name: str, kind: Any) -> namedtype.NamedType:
    """A component that must be there."""
    return namedtype.NamedType(name, kind)


def optional(name: str, kind: Any) -> namedtype.NamedType:
    """A component that may be there."""
    return namedtype.OptionalNamedType(name, kind)


def components(*named: namedtype.NamedType) -> namedtype.NamedTypes:
    """The components of a SEQUENCE, SET or CHOICE."""
    return namedtype.NamedTypes(*named)


@contextmanager
def taken_apart(layer: str) -> Iterator[None]:
    """Context that turns the errors of pyasn1 over octets that are not the structure into WireError."""
    try:
        yield
    except WireError:
        raise
    except (PyAsn1Error, ValueError, LookupError, TypeError, AttributeError) as error:
        raise WireError(layer, 0, "not the structure that the standard describes") from error


def decode(octets: bytes, specification: Any, layer: str) -> Any:
    """The value of `specification` that `octets` hold. Raises WireError for anything else."""
    checked = definite(octets, layer)
    with taken_apart(layer):
        value, rest = decoder.decode(checked, asn1Spec=specification)
    if rest:
        raise WireError(layer, len(octets) - len(rest), f"{len(rest)} octets behind the structure")
    return value


def encode(value: Any) -> bytes:
    """The BER of `value`, definite lengths."""
    return bytes(encoder.encode(value))


def given(value: Any, name: str) -> Any | None:
    """The component `name` of `value` if it was there, otherwise None."""
    component = value.getComponentByName(name, default=None, instantiate=False)
    return component if component is not None and component.hasValue() else None


def octets_of(value: Any, name: str) -> bytes | None:
    """The octets of an octet string component, None if it was not there."""
    component = given(value, name)
    return None if component is None else bytes(component)
