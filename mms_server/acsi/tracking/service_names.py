"""ServiceNameKind and ServiceStatusKind, as tracking objects show them (IEC 61850-7-2 Edition 2, service tracking).

MMS has more errors than ACSI; `status_of` maps each to the one that a tracking object shows.
"""

from enum import IntEnum
from typing import Final

from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError, ServiceError


class ServiceName(IntEnum):
    """The services that are tracked here (ServiceNameKind)."""

    SET_DATA_VALUES = 8
    SET_DATA_SET_VALUES = 12
    CREATE_DATA_SET = 13
    DELETE_DATA_SET = 14
    SELECT_ACTIVE_SG = 16
    SELECT_EDIT_SG = 17
    SET_EDIT_SG_VALUE = 18
    CONFIRM_EDIT_SG_VALUES = 19
    SET_BRCB_VALUES = 24
    SET_URCB_VALUES = 26
    SET_LCB_VALUES = 28
    SET_GOCB_VALUES = 34
    SET_MSVCB_VALUES = 39
    SET_USVCB_VALUES = 42
    SELECT = 43
    SELECT_WITH_VALUE = 44
    CANCEL = 45
    OPERATE = 46
    COMMAND_TERMINATION = 47
    TIME_ACTIVATED_OPERATE = 48
    DELETE_FILE = 51


class ServiceStatus(IntEnum):
    """The result of a service (ServiceStatusKind)."""

    NO_ERROR = 0
    INSTANCE_NOT_AVAILABLE = 1
    INSTANCE_IN_USE = 2
    ACCESS_VIOLATION = 3
    ACCESS_NOT_ALLOWED_IN_CURRENT_STATE = 4
    PARAMETER_VALUE_INAPPROPRIATE = 5
    PARAMETER_VALUE_INCONSISTENT = 6
    CLASS_NOT_SUPPORTED = 7
    INSTANCE_LOCKED_BY_OTHER_CLIENT = 8
    CONTROL_MUST_BE_SELECTED = 9
    TYPE_CONFLICT = 10
    FAILED_DUE_TO_COMMUNICATIONS_CONSTRAINT = 11
    FAILED_DUE_TO_SERVER_CONSTRAINT = 12


_STATUS: Final[dict[DataAccessError | ServiceError | None, ServiceStatus]] = {
    None: ServiceStatus.NO_ERROR,
    DataAccessError.TEMPORARILY_UNAVAILABLE: ServiceStatus.INSTANCE_LOCKED_BY_OTHER_CLIENT,
    DataAccessError.OBJECT_ACCESS_DENIED: ServiceStatus.ACCESS_VIOLATION,
    DataAccessError.TYPE_INCONSISTENT: ServiceStatus.PARAMETER_VALUE_INCONSISTENT,
    DataAccessError.OBJECT_ATTRIBUTE_INCONSISTENT: ServiceStatus.PARAMETER_VALUE_INCONSISTENT,
    DataAccessError.OBJECT_NON_EXISTENT: ServiceStatus.INSTANCE_NOT_AVAILABLE,
    DataAccessError.OBJECT_VALUE_INVALID: ServiceStatus.PARAMETER_VALUE_INAPPROPRIATE,
    ServiceError.DEFINITION_OTHER: ServiceStatus.PARAMETER_VALUE_INAPPROPRIATE,
    ServiceError.OBJECT_UNDEFINED: ServiceStatus.INSTANCE_NOT_AVAILABLE,
    ServiceError.OBJECT_EXISTS: ServiceStatus.INSTANCE_IN_USE,
    ServiceError.OBJECT_CONSTRAINT_CONFLICT: ServiceStatus.INSTANCE_IN_USE,
    ServiceError.ACCESS_UNSUPPORTED: ServiceStatus.CLASS_NOT_SUPPORTED,
    ServiceError.ACCESS_NON_EXISTENT: ServiceStatus.INSTANCE_NOT_AVAILABLE,
    ServiceError.ACCESS_DENIED: ServiceStatus.ACCESS_VIOLATION,
    ServiceError.FILE_ACCESS_DENIED: ServiceStatus.ACCESS_VIOLATION,
    ServiceError.FILE_NON_EXISTENT: ServiceStatus.INSTANCE_NOT_AVAILABLE,
}


def status_of(error: DataAccessError | ServiceError | None, cause: AddCause | None = None) -> ServiceStatus:
    """The status of a service that was answered with `error` (None: with success), and for a control with `cause`."""
    if cause is AddCause.OBJECT_NOT_SELECTED:
        return ServiceStatus.CONTROL_MUST_BE_SELECTED
    return _STATUS.get(error, ServiceStatus.FAILED_DUE_TO_SERVER_CONSTRAINT)
