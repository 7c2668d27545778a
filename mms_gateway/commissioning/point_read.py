"""Read of one point by itself: value, quality, the registers as received (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from acquisition.decoding import failure_quality, point_readings, scaling
from acquisition.decoding.scaling import Reading
from acquisition.drivers.base import ExceptionResponse, Found, Question, Read, Registers, Text
from bus import quality
from mapping.located_yaml.validation_text import reason
from mapping.plan import DevicePlan, Obis, PointPlan, Register, Reply
from mapping.schema.profile import Register as RegisterSpec
from mms_gateway.commissioning.tables import number

NO_SCALES: Final[Mapping[int, Reading]] = {}
HEADER: Final = ("point", "value", "unit", "quality", "raw", "ms")


@dataclass(frozen=True, slots=True)
class PointResult:
    """Result of reading one point: its value with quality, the raw registers and the time that it took."""

    point: PointPlan
    reading: Reading
    raw: str  # registers in hexadecimal, or the line of text
    ms: float

    @property
    def answered(self) -> bool:
        """True if the device has said anything, a refusal too."""
        return self.reading.quality != quality.NO_ANSWER

    def row(self) -> tuple[str, ...]:
        """For HEADER."""
        judged = quality.describe(self.reading.quality)
        reason = f": {self.reading.reason}" if self.reading.reason else ""
        value = number(self.reading.value)
        return (self.point.local_name, value, self.point.unit, f"{judged}{reason}", self.raw, f"{self.ms:.1f}")


def question(device: DevicePlan, point: PointPlan) -> Read | Question | None:
    """Request for `point` alone; None for a point that the gateway itself makes, or that cannot be read."""
    source = point.source
    if not point.readable:
        return None
    if isinstance(source, Register):
        return Read(device.unit, source.table, source.address, source.count)
    if isinstance(source, Obis):
        return Question(source.request)
    return Question(source.request, source.end) if isinstance(source, Reply) else None


def in_order(device: DevicePlan, points: Sequence[PointPlan]) -> list[PointPlan]:
    """The order in which to ask for `points`: before what another point scales, that one."""
    known = {point.number: point for point in device.points}
    scales = [known[point.scale_from.point] for point in points if point.scale_from is not None]
    return list({point.number: point for point in (*scales, *points)}.values())


def point_result(
    device: DevicePlan, point: PointPlan, found: Found | None, ms: float, scales: Mapping[int, Reading] = NO_SCALES
) -> PointResult:
    """Result for `point` from `found`; `scales` has the readings of the points that scale others, by number."""
    source = point.source
    if isinstance(found, Registers) and isinstance(source, Register):
        if point.scale_from is None:
            reading = scaling.reading(point, source, found.values)
        else:
            reading = scaling.scaled_reading(point, source, found.values, scales.get(point.scale_from.point))
        return PointResult(point, reading, hexadecimal(found.values, source), ms)
    if isinstance(found, Text):
        read = point_readings.from_line(device, [point.number], found.line)
        unsound = Reading(None, quality.NO_ANSWER, "the line fits no expression")
        return PointResult(
            point, read[0].reading if read else unsound, found.line if isinstance(source, Reply) else "", ms
        )
    if isinstance(found, ExceptionResponse):
        return PointResult(point, Reading(None, quality.REFUSED, failure_quality.exception(found.code)), "", ms)
    silent = Reading(None, quality.NO_ANSWER, f"no answer within {device.polling.timeout_ms} ms")
    return PointResult(point, silent, "", ms)


def hexadecimal(values: tuple[int, ...], register: Register) -> str:
    """The registers as they came, four digits each; bits as 0 and 1."""
    bits = register.table in ("coil", "discrete")
    return " ".join(str(value) if bits else f"{value:04x}" for value in values)


def raw_point(number_: int, text: str) -> PointPlan:
    """The register that `text` spells (`holding 100 int16`) as a point without unit or scale. Raises ValueError."""
    spec = RegisterSpec.model_validate(text)
    order = spec.order or "abcd"
    register = Register(spec.table, spec.address, spec.type, spec.count, order, spec.low_bit, spec.high_bit)
    return PointPlan(number_, f"register.{text}", "", register, polled=True, stale_after_ms=0, every_ms=0)


def first_reason(error: ValueError) -> str:
    """First reason that a model gives for a text that does not fit it."""
    return reason(error.errors(include_url=False)[0]) if isinstance(error, ValidationError) else str(error)
