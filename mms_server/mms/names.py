"""Object names as MMS writes them (ISO 9506-2, ObjectName), kept as octets: no name is decoded to be compared.

A1 { 1A domain  1A item }    80 vmd-specific    82 association-specific
"""

from typing import Final, NamedTuple

from mms_server.mms.errors import ArgumentError
from mms_server.stack import ber

DOMAIN_SPECIFIC: Final = 0xA1
VMD_SPECIFIC: Final = 0x80
ASSOCIATION_SPECIFIC: Final = 0x82


class ObjectName(NamedTuple):
    """A name: `domain` None if it is vmd- or association-specific, which `scope` (its tag) tells."""

    scope: int
    domain: bytes | None
    item: bytes

    @property
    def reference(self) -> str:
        """The ACSI reference: `LD/LN.DO.DA` or `LD/LN.name` of a data set, `@name` of one of the association's own."""
        item = self.item.decode("ascii", "replace")
        if self.domain is None:
            return f"@{item}" if self.scope == ASSOCIATION_SPECIFIC else item
        ln, *steps = item.split("$")
        path = steps[1:] if len(steps) > 1 else steps  # without the functional constraint
        return f"{self.domain.decode('ascii', 'replace')}/{'.'.join((ln, *path))}"


def decode(buffer: bytes, start: int, end: int) -> ObjectName:
    """The name whose TLV fills `buffer[start:end]`. Raises ArgumentError or WireError."""
    tag, first, after = ber.header(buffer, start, end)
    if after != end:
        raise ArgumentError("octets behind the object name")
    if tag == DOMAIN_SPECIFIC:
        domain, position = identifier(buffer, first, after)
        item, position = identifier(buffer, position, after)
        if position != after:
            raise ArgumentError("a third part in a domain-specific name")
        return ObjectName(tag, domain, item)
    if tag in (VMD_SPECIFIC, ASSOCIATION_SPECIFIC):
        return ObjectName(tag, None, buffer[first:after])
    raise ArgumentError(f"tag {tag:02x}, expected an object name")


def identifier(buffer: bytes, start: int, end: int) -> tuple[bytes, int]:
    """The Identifier (VisibleString) at `start`, and where the next element starts."""
    tag, first, after = ber.header(buffer, start, end)
    if tag != 0x1A:
        raise ArgumentError(f"tag {tag:02x}, expected an identifier")
    return buffer[first:after], after


def encode(domain: bytes, item: bytes) -> bytes:
    """A domain-specific name."""
    return ber.tlv(DOMAIN_SPECIFIC, ber.tlv(0x1A, domain) + ber.tlv(0x1A, item))
