"""Octets of the load generator: requests, and responses decoded as far as they are checked."""

from bench import model
from tests.support.client import Client, mms, request
from tests.support.engine_client import name, read_request, tlv, variable, write_body

READ, WRITE, NAME_LIST, ACCESS_ATTRIBUTES, LIST_ATTRIBUTES = 0xA4, 0xA5, 0xA1, 0xA6, 0xAC
DATA_OCTETS = 26  # of one measured value as an FCD: structure, mag.f, q, t
TRUE = b"\x83\x01\x01"


def read_values(count: int) -> bytes:
    """A Read of `count` single floats."""
    items = (f"{one}$mag$f" for one in model.members(count))
    return request(READ, read_request(*(variable(model.DOMAIN, item) for item in items)))


def read_set(size: int) -> bytes:
    """A Read of a data set."""
    return request(READ, tlv(0xA1, tlv(0xA1, name(model.DOMAIN, f"LLN0$Set{size}"))))


def read_steady() -> bytes:
    """A Read of a value that nobody feeds."""
    return request(READ, read_request(variable(model.DOMAIN, "LLN0$ST$Beh$stVal")))


def elements(octets: bytes) -> list[tuple[int, bytes]]:
    """The TLVs in `octets`: tag (one octet, or two for high tags) and contents."""
    found, at = [], 0
    while at < len(octets):
        tag, at = octets[at], at + 1
        if tag & 0x1F == 0x1F:
            tag, at = tag << 8 | octets[at], at + 1
        size, at = octets[at], at + 1
        if size & 0x80:
            count = size & 0x7F
            size, at = int.from_bytes(octets[at : at + count], "big"), at + count
        found.append((tag, octets[at : at + size]))
        at += size
    return found


def service_of(tsdu: bytes) -> bytes:
    """The contents of the service's element in a positive answer. Raises RuntimeError for any other."""
    (tag, answer), *rest = elements(mms(tsdu))
    if tag != 0xA1 or rest:
        raise RuntimeError(f"a PDU {tag:02x}, expected a positive answer")
    return elements(answer)[1][1]


def check_read(tsdu: bytes, count: int) -> None:
    """Raises RuntimeError unless the answer has `count` results, all of them values."""
    results = elements(elements(service_of(tsdu))[-1][1])
    if len(results) != count or any(tag == 0x80 for tag, _ in results):
        raise RuntimeError(f"{len(results)} results, expected {count} values")


def names(client: Client, objects: int, domain: str | None) -> list[bytes]:
    """All names of a class (0 variables, 2 lists, 9 domains), page by page."""
    scope = tlv(0x80, b"") if domain is None else tlv(0x81, domain.encode())
    found: list[bytes] = []
    more = True
    while more:
        after = tlv(0x82, found[-1]) if found else b""
        body = tlv(0xA0, tlv(0x80, bytes((objects,)))) + tlv(0xA1, scope) + after
        parts = elements(service_of(client.ask(NAME_LIST, body)))
        _short(parts[0][1], found)
        more = len(parts) < 2 or parts[1][1] != b"\0"  # absent means true
    return found


def _short(octets: bytes, found: list[bytes]) -> None:
    """Append the names in `octets`, each shorter than 128 octets."""
    at, end = 0, len(octets)
    while at < end:
        size = octets[at + 1]
        if octets[at] != 0x1A or size > 0x7F:
            raise RuntimeError("no short name")
        at += 2 + size
        found.append(octets[at - size : at])


def enable(client: Client, number: int) -> None:
    """Enable a report control block. Raises RuntimeError if that is refused."""
    answer = client.ask(WRITE, write_body(model.DOMAIN, (f"LLN0$RP$urcb{number:02d}$RptEna", TRUE)))
    if elements(service_of(answer)) != [(0x81, b"")]:
        raise RuntimeError("the report control block cannot be enabled")
