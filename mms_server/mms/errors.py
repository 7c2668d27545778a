"""Errors that answer a client: returned, never raised (ISO 9506-2, DataAccessError and ServiceError; 61850-8-1, use)."""

from dataclasses import dataclass
from enum import Enum, IntEnum

from mms_server.stack import ber


class DataAccessError(IntEnum):
    """Per item of a Read or Write."""

    OBJECT_INVALIDATED = 0
    HARDWARE_FAULT = 1
    TEMPORARILY_UNAVAILABLE = 2
    OBJECT_ACCESS_DENIED = 3
    OBJECT_UNDEFINED = 4
    INVALID_ADDRESS = 5
    TYPE_UNSUPPORTED = 6
    TYPE_INCONSISTENT = 7
    OBJECT_ATTRIBUTE_INCONSISTENT = 8
    OBJECT_ACCESS_UNSUPPORTED = 9
    OBJECT_NON_EXISTENT = 10
    OBJECT_VALUE_INVALID = 11

    def result(self) -> bytes:
        """The error as one AccessResult of a Read: `80 01 xx`."""
        return bytes((0x80, 1, self.value))


class ServiceError(Enum):
    """Error class (the tag number) and code of a confirmed-error PDU, for the whole request."""

    DEFINITION_OTHER = (2, 0)
    OBJECT_UNDEFINED = (2, 1)
    TYPE_INCONSISTENT = (2, 4)
    OBJECT_EXISTS = (2, 5)
    INVALID_ADDRESS = (2, 2)
    RESOURCE_OTHER = (3, 0)  # the answer would not fit the agreed PDU size
    CAPABILITY_UNAVAILABLE = (3, 4)
    OBJECT_CONSTRAINT_CONFLICT = (4, 5)
    ACCESS_UNSUPPORTED = (7, 1)
    ACCESS_NON_EXISTENT = (7, 2)
    ACCESS_DENIED = (7, 3)
    FILE_OTHER = (11, 0)
    FILE_BUSY = (11, 2)
    FILE_POSITION_INVALID = (11, 5)
    FILE_ACCESS_DENIED = (11, 6)
    FILE_NON_EXISTENT = (11, 7)
    FILE_DUPLICATE = (11, 8)
    FILE_NO_SPACE = (11, 9)

    def pdu(self, invoke_id: int, specific: bytes = b"") -> bytes:
        """The confirmed-error PDU that answers `invoke_id`; `specific` is what the service itself has to say."""
        error_class, code = self.value
        error = ber.tlv(0xA0, bytes((0x80 | error_class, 1, code)))
        if specific:
            error += ber.tlv(0xA3, specific)
        return ber.tlv(0xA2, ber.tlv(0x80, ber.unsigned(invoke_id)) + ber.tlv(0xA2, error))


@dataclass(frozen=True, slots=True)
class ServiceFailure:
    """A ServiceError with the serviceSpecificInformation that belongs to it."""

    error: ServiceError
    specific: bytes = b""

    def pdu(self, invoke_id: int) -> bytes:
        """The confirmed-error PDU."""
        return self.error.pdu(invoke_id, self.specific)


@dataclass
class ArgumentError(ValueError):
    """A request whose argument means nothing: the client gets a Reject with invalid-argument."""

    reason: str
