"""AddCause: the reason of a control that was refused or failed (IEC 61850-7-2, AddCauseDiagnosis), and its reports.

LastApplError   A3 { A0 { A0 { 30 { A0 { 80 LastApplError }}}, A0 { A2 { CntrlObj Error Origin ctlNum AddCause }}}}
Termination +   A3 { A0 { A0 { 30 { A0 { LN$CO$DO$Oper }}}, A0 { the Oper as it was written }}}
Termination -   A3 { A0 { A0 { LastApplError, LN$CO$DO$Oper }, A0 { both values }}}
"""

from enum import IntEnum
from typing import Final

from mms_server.mms import access
from mms_server.stack import ber


class AddCause(IntEnum):
    """The reason of a refused or failed control."""

    UNKNOWN = 0
    NOT_SUPPORTED = 1
    BLOCKED_BY_SWITCHING_HIERARCHY = 2
    SELECT_FAILED = 3
    INVALID_POSITION = 4
    POSITION_REACHED = 5
    PARAMETER_CHANGE_IN_EXECUTION = 6
    STEP_LIMIT = 7
    BLOCKED_BY_MODE = 8
    BLOCKED_BY_PROCESS = 9
    BLOCKED_BY_INTERLOCKING = 10
    BLOCKED_BY_SYNCHROCHECK = 11
    COMMAND_ALREADY_IN_EXECUTION = 12
    BLOCKED_BY_HEALTH = 13
    ONE_OF_N_CONTROL = 14
    ABORTION_BY_CANCEL = 15
    TIME_LIMIT_OVER = 16
    ABORTION_BY_TRIP = 17
    OBJECT_NOT_SELECTED = 18
    OBJECT_ALREADY_SELECTED = 19
    NO_ACCESS_AUTHORITY = 20
    ENDED_WITH_OVERSHOOT = 21
    ABORTION_DUE_TO_DEVIATION = 22
    ABORTION_BY_COMMUNICATION_LOSS = 23
    BLOCKED_BY_COMMAND = 24
    NONE = 25
    INCONSISTENT_PARAMETERS = 26
    LOCKED_BY_OTHER_CLIENT = 27


UNKNOWN_ERROR: Final = 1
TIMEOUT_TEST_NOT_OK: Final = 2
_LAST_APPL_ERROR: Final = bytes.fromhex("3011a00f800d4c6173744170706c4572726f72")


def last_appl_error(obj: str, or_cat: int, or_ident: bytes, ctl_num: int, cause: AddCause) -> bytes:
    """The value of LastApplError for the variable `obj` (`LD/LN$CO$DO$Oper`)."""
    error = TIMEOUT_TEST_NOT_OK if cause is AddCause.TIME_LIMIT_OVER else UNKNOWN_ERROR
    origin = ber.tlv(0xA2, ber.tlv(0x85, ber.integer(or_cat)) + ber.tlv(0x89, or_ident))
    parts = (
        ber.tlv(0x8A, obj.encode("ascii", "replace")),
        ber.tlv(0x85, ber.integer(error)),
        origin,
        ber.tlv(0x86, ber.unsigned(ctl_num)),
        ber.tlv(0x85, ber.integer(cause)),
    )
    return ber.tlv(0xA2, b"".join(parts))


def refusal(error: bytes) -> bytes:
    """The report of a LastApplError."""
    return _report(_LAST_APPL_ERROR, error)


def termination(domain: bytes, item: bytes, oper: bytes, error: bytes | None) -> bytes:
    """CommandTermination for `oper`, the Data of what was written to `item`: negative with `error`."""
    variable = access.encode_variable(domain, item)
    return _report(variable, oper) if error is None else _report(_LAST_APPL_ERROR + variable, error + oper)


def _report(variables: bytes, values: bytes) -> bytes:
    return ber.tlv(0xA3, ber.tlv(0xA0, ber.tlv(0xA0, variables) + ber.tlv(0xA0, values)))
