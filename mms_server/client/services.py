"""Confirmed services of a client: encodes the body of each request, decodes its answer (ISO 9506-2).

Tags are those of the server's `services`; a response's element has the tag of its request.
"""

from collections.abc import Sequence
from typing import Final

from mms_server.client.types import Type, decode_type, elements, part, parts
from mms_server.mms import access, names
from mms_server.mms.access import Variable
from mms_server.mms.errors import ArgumentError, DataAccessError, ServiceError
from mms_server.mms.names import ObjectName
from mms_server.stack import ber
from mms_server.stack.errors import WireError

GET_NAME_LIST: Final = 0xA1
READ: Final = 0xA4
WRITE: Final = 0xA5
VARIABLE_TYPE: Final = 0xA6
DATA_SET: Final = 0xAC
NAMED_VARIABLE: Final = 0
DOMAIN: Final = 9
_SUCCESS: Final = 0x81
_FAILURE: Final = 0x80


def names_of(object_class: int, domain: str | None, after: str = "") -> bytes:
    """GetNameList: a page of names in `domain`, or of the whole server, behind the name `after`."""
    scope = ber.tlv(0x80, b"") if domain is None else ber.tlv(0x81, domain.encode("latin-1"))
    asked = ber.tlv(0xA0, ber.tlv(0x80, ber.unsigned(object_class))) + ber.tlv(0xA1, scope)
    return asked + (ber.tlv(0x82, after.encode("latin-1")) if after else b"")


def page(body: bytes) -> tuple[list[str], bool]:
    """The names of a page, and moreFollows (true where it is absent). Raises WireError."""
    first, end = part(body, 0, len(body), 0xA0)
    found = [body[start:after].decode("latin-1") for _, start, after in parts(body, first, end)]
    more = [body[start:after] != b"\x00" for tag, start, after in parts(body, end, len(body)) if tag == 0x81]
    return found, more[0] if more else True


def variable(domain: str, item: str) -> bytes:
    """One variable of a list."""
    return access.encode_variable(domain.encode("latin-1"), item.encode("latin-1"))


def read(variables: Sequence[bytes]) -> bytes:
    """Read: the values of `variables`."""
    return ber.tlv(0xA1, ber.tlv(0xA0, b"".join(variables)))


def read_results(body: bytes) -> list[bytes | DataAccessError]:
    """The Data of each variable, or its error. Raises WireError."""
    first, end = part(body, 0, len(body), 0xA1)
    return [_error(one) if one[0] == _FAILURE else one for one in elements(body, first, end)]


def write(variables: Sequence[bytes], data: Sequence[bytes]) -> bytes:
    """Write: `data`, one for each of `variables`."""
    return ber.tlv(0xA0, b"".join(variables)) + ber.tlv(0xA0, b"".join(data))


def write_results(body: bytes) -> list[DataAccessError | None]:
    """The error of each variable, None where it was written. Raises WireError."""
    return [None if one[0] == _SUCCESS else _error(one) for one in elements(body, 0, len(body))]


def _error(octets: bytes) -> DataAccessError:
    tag, start, end = ber.header(octets, 0, len(octets))
    number = ber.decode_unsigned(octets, start, end)
    if tag != _FAILURE or number not in DataAccessError.__members__.values():
        raise WireError("mms", 0, f"result {octets[:8].hex()}, expected a value, a success or a DataAccessError")
    return DataAccessError(number)


def variable_type(domain: str, item: str) -> bytes:
    """GetVariableAccessAttributes: the type of a variable."""
    return ber.tlv(0xA0, data_set(domain, item))


def data_set(domain: str, item: str) -> bytes:
    """GetNamedVariableListAttributes: the members of a data set."""
    return names.encode(domain.encode("latin-1"), item.encode("latin-1"))


def type_of(body: bytes) -> Type:
    """The type of a variable. Raises WireError."""
    return decode_type(body, *part(body, 0, len(body), 0xA2))


def members(body: bytes) -> tuple[Variable, ...]:
    """The members of a data set, in order. Raises WireError."""
    first, end = part(body, 0, len(body), 0xA1)
    listed = ber.tlv(0xA0, body[first:end])
    try:
        found = access.decode(listed, 0, len(listed))
    except ArgumentError as error:
        raise WireError("mms", first, f"no members of a data set: {error.reason}") from error
    return () if isinstance(found, ObjectName) else found


def service_error(contents: bytes) -> ServiceError | None:
    """The ServiceError of a confirmed error, behind its invokeID; None for one that this project does not use."""
    first, end = part(contents, 0, len(contents), 0xA2)
    first, end = part(contents, first, end, 0xA0)
    tag, start, after = ber.header(contents, first, end)
    said = (tag & 0x1F, ber.decode_integer(contents, start, after))
    return next((one for one in ServiceError if one.value == said), None)
