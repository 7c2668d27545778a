"""InformationReport decoded: reports, LastApplError, CommandTermination (IEC 61850-8-1).

    report               A0 { A1 { 80 RPT }, A0 { RptID OptFlds [...] inclusion [references] values [reasons] } }
    LastApplError        A0 { A0 { LastApplError }, A0 { its value } }
    CommandTermination   A0 { A0 { [LastApplError,] LN$CO$DO$Oper }, A0 { [its value,] the Oper }}

The other side of `mms.report` and `mms.add_cause`, which encode them.
"""

from dataclasses import dataclass
from typing import Final, TypeVar

from mms_server.client.types import decode, elements, part
from mms_server.mms import access, names, report
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import ArgumentError
from mms_server.mms.names import ObjectName
from mms_server.stack import ber
from mms_server.stack.errors import WireError

REASONS: Final = {
    "data-change": 0x10, "quality-change": 0x08, "data-update": 0x04, "integrity": 0x02, "general-interrogation": 0x01,
}  # fmt: skip
REASON_BITS: Final = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReportedMember:
    """One member in a report: its number in the data set, its Data, its reason (None: the block does not say)."""

    number: int
    data: bytes
    reasons: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class RawReport:
    """A report before its members have names; None for what its OptFlds leave out. `more`: the next segment follows."""

    rpt_id: str
    sq_num: int | None
    time_ns: int | None
    overflow: bool | None
    entry_id: bytes | None
    more: bool
    members: tuple[ReportedMember, ...]


@dataclass(frozen=True, slots=True)
class LastApplError:
    """A LastApplError: the variable that was written (`LD/LN$CO$DO$Oper`), the number of the control, the reason."""

    variable: str
    ctl_num: int
    add_cause: AddCause


@dataclass(frozen=True, slots=True)
class CommandTermination:
    """A CommandTermination of the variable `domain/item`; `error` None if the command has reached its end."""

    variable: str
    error: LastApplError | None


Information = RawReport | LastApplError | CommandTermination


def decode_information(contents: bytes) -> Information | None:
    """The information in an unconfirmed PDU; None for a report that IEC 61850 does not use. Raises WireError."""
    first, end = part(contents, 0, len(contents), 0xA0)
    tag, start, after = ber.header(contents, first, end)
    values = elements(contents, *part(contents, after, end, 0xA0))
    if tag == 0xA1:
        return _report(values) if contents[start:after] == b"\x80\x03RPT" else None
    listed = contents[first:after]
    try:
        variables = access.decode(listed, 0, len(listed))
    except ArgumentError as error:
        raise WireError("mms", first, f"no list of variables: {error.reason}") from error
    return None if isinstance(variables, ObjectName) else _control_outcome([one.name for one in variables], values)


def _control_outcome(
    variables: list[ObjectName | None], values: list[bytes]
) -> LastApplError | CommandTermination | None:
    if len(variables) != len(values) or None in variables:
        raise WireError("mms", 0, f"{len(values)} values for {len(variables)} variables")
    error = next(
        (_last_appl_error(data) for name, data in zip(variables, values, strict=True) if _is_error(name)), None
    )
    for name in variables:
        if name is not None and name.scope == names.DOMAIN_SPECIFIC:
            return CommandTermination(f"{_text(name.domain)}/{_text(name.item)}", error)
    return error


def _is_error(name: ObjectName | None) -> bool:
    return name is not None and name.item == b"LastApplError"


def _text(octets: bytes | None) -> str:
    return (octets or b"").decode("latin-1")


def _last_appl_error(data: bytes) -> LastApplError:
    match decode(data):
        case [str(variable), int(), _, int(ctl_num), int(cause)]:
            known = cause in AddCause.__members__.values()
            return LastApplError(variable, ctl_num, AddCause(cause) if known else AddCause.UNKNOWN)
        case other:
            raise WireError("mms", 0, f"LastApplError {other!r}, expected its five members")


class _Fields:
    """The values of a report, taken one by one."""

    def __init__(self, values: list[bytes]) -> None:
        self._values = values
        self._next = 0

    def data(self) -> bytes:
        if self._next >= len(self._values):
            raise WireError("mms", 0, f"a report of {len(self._values)} values, expected more")
        self._next += 1
        return self._values[self._next - 1]

    def bits(self) -> tuple[int, int]:
        """A bit string of any length and how many bits it has."""
        octets = self.data()
        tag, start, end = ber.header(octets, 0, len(octets))
        if tag != 0x84 or start == end or octets[start] > 7:
            raise WireError("mms", 0, f"data {tag:02x} in a report, expected a bit string")
        count = (end - start - 1) * 8 - octets[start]
        return int.from_bytes(octets[start + 1 : end], "big") >> octets[start], count

    def of(self, kind: type[T]) -> T:
        """A value of that type."""
        value = decode(self.data())
        if not isinstance(value, kind):
            raise WireError("mms", 0, f"{value!r} in a report, expected a value of type {kind.__name__}")
        return value


def _report(values: list[bytes]) -> RawReport:
    fields = _Fields(values)
    rpt_id = fields.of(str)
    flags, _ = fields.bits()
    sq_num = fields.of(int) if flags & report.SEQUENCE else None
    time_ns = fields.of(int) if flags & report.TIME else None
    if flags & report.DATA_SET:
        fields.of(str)
    overflow = fields.of(bool) if flags & report.OVERFLOW else None
    entry_id = fields.of(bytes) if flags & report.ENTRY_ID else None
    if flags & report.CONF_REV:
        fields.of(int)
    more = False
    if flags & report.SEGMENTATION:
        fields.of(int)
        more = fields.of(bool)
    bits, count = fields.bits()
    included = [number for number in range(count) if bits >> count - 1 - number & 1]
    if flags & report.REFERENCES:
        for _ in included:
            fields.of(str)
    data = [fields.data() for _ in included]
    reasons = [_reasons(*fields.bits()) for _ in included] if flags & report.REASON else [None for _ in included]
    members = tuple(map(ReportedMember, included, data, reasons))
    return RawReport(rpt_id, sq_num, time_ns, overflow, entry_id, more, members)


def _reasons(bits: int, count: int) -> tuple[str, ...]:
    bits >>= max(count - REASON_BITS, 0)  # later editions put more bits behind
    return tuple(name for name, bit in REASONS.items() if bits & bit)
