"""Scan of a line: units that answer, their identification, the profile that fits. Shell, over `matching`.

Any sound answer counts, an exception too. On a serial line nobody is asked before the line has been silent for a
second, and the scan ends where an answer comes that nobody asked for: another master talks. Behind the first answer of
each unit the line is listened to: a second answer is another device's of the same address, or a converter's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from acquisition.decoding.failure_quality import exception
from acquisition.drivers.base import ExceptionResponse, Found, Identification, Identity, Read, Registers
from acquisition.exchange.attribution.gateway_evidence import UNREACHED
from mapping.plan import DevicePlan, LinePlan
from mms_gateway.commissioning.manual_exchange import ManualLine, stranger
from mms_gateway.commissioning.scan import findings, matching
from mms_gateway.commissioning.scan.findings import Finding, OtherMasterError
from mms_gateway.commissioning.scan.matching import Match

SHOWN_OCTETS: Final = 16
SECOND_S: Final = 0.25  # in which a second answer comes
HEADER: Final = ("unit", "answers", "says it is", "profile", "fits")


@dataclass(frozen=True, slots=True)
class FoundUnit:
    """A unit that answers."""

    unit: int
    answer: str
    said: str
    matches: tuple[Match, ...]

    def row(self) -> tuple[str, ...]:
        """For HEADER."""
        best = self.matches[0] if self.matches else None
        fits = "" if best is None else "identified" if best.proven else f"{best.score:.0%}"
        return (str(self.unit), self.answer, self.said, "" if best is None else best.profile, fits)


def another_master(octets: bytes) -> OtherMasterError:
    """Why a line on which `octets` were overheard is not scanned."""
    shown = octets[:SHOWN_OCTETS].hex(" ")
    text = f"{len(octets)} octets nobody here asked for ({shown}{' ...' if len(octets) > SHOWN_OCTETS else ''})"
    return OtherMasterError(f"another master talks on this line: {text}; take it off before you scan", "second-master")


class Scan:
    """The scan of one line with `profiles`; each device is asked for each register once. `found`: the units so far."""

    def __init__(self, manual: ManualLine, profiles: Sequence[DevicePlan], timeout_ms: int) -> None:
        self._bench = manual
        self._profiles = profiles
        self._timeout_ms = timeout_ms
        self._doubled: list[Finding] = []
        self.found: list[FoundUnit] = []

    def findings(self) -> list[Finding]:
        """The conditions that the line has shown so far. Two devices of one address explain every other surplus answer."""
        bench = self._bench
        if self._doubled:
            return self._doubled
        found = findings.of_conditions(bench.conditions())
        if not found and bench.counters.foreign:  # one is enough: nobody else should ask
            text = f"{bench.counters.foreign} answers to requests that are not ours"
            found.append(Finding(bench.other_master, "warning", text))
        return found

    async def units(self, units: Sequence[int], progress: Callable[[int], None]) -> list[FoundUnit]:
        """Those of `units` that answer. Raises NoConnectionError; OtherMasterError if another master talks."""
        for unit in units:
            progress(unit)
            foreign = self._bench.counters.foreign
            device = stranger(unit, self._timeout_ms)
            first = Read(unit, "holding", 0, 1)
            asked = await self._bench.ask(first, device)
            if asked.found is not None and not _unreached(asked.found):
                await self._listen(first)
                self.found.append(await self._known(unit, device, asked.found))
            elif self._bench.counters.foreign > foreign:
                raise OtherMasterError(
                    f"asked unit {unit}, and something else was answered: another master talks on this line, "
                    "or a device answers with another unit",
                    self._bench.other_master,
                )
        return self.found

    async def _listen(self, asked: Read) -> None:
        """Look for a second answer to `asked`, which has just been answered."""
        foreign = self._bench.counters.foreign
        await self._bench.listen(SECOND_S)
        if asked in self._bench.contradicted() and self._bench.counters.foreign > foreign:
            text = f"unit {asked.unit}: two answers with different data to one request"
            self._doubled.append(Finding("two-devices", "warning", text))

    async def _known(self, unit: int, device: DevicePlan, first: Found) -> FoundUnit:
        said = await self._identity(unit, device)
        answers: dict[Read, Found | None] = {}
        found = []
        for profile in self._profiles:
            for read in matching.wanted(profile, unit):
                if read not in answers:
                    answers[read] = (await self._bench.ask(read, device)).found
                if answers[read] is None or isinstance(answers[read], ExceptionResponse):
                    break
            match = matching.match(profile, unit, answers, said)
            if match is not None:
                found.append(match)
        shown = next((read for read, given in answers.items() if isinstance(given, Registers)), None)
        if (
            isinstance(first, ExceptionResponse) and shown is not None
        ):  # two devices may refuse alike, and differ in data
            await self._bench.ask(shown, device)
            await self._listen(shown)
        answer = exception(first.code) if isinstance(first, ExceptionResponse) else "holding 0"
        return FoundUnit(unit, answer, said, tuple(matching.ranked(found)))

    async def _identity(self, unit: int, device: DevicePlan) -> str:
        for function in (43, 17):
            asked = await self._bench.ask(Identification(unit, function), device)
            if isinstance(asked.found, Identity):
                return " ".join(text for text in asked.found.texts if text)
        return ""


def _unreached(found: Found) -> bool:
    return isinstance(found, ExceptionResponse) and found.code in UNREACHED


def snippet(line: LinePlan, found: Sequence[FoundUnit]) -> str:
    """`devices:` for site.yaml; what is not known is said behind it."""
    rows = ["devices:"]
    for one in found:
        best = one.matches[0] if one.matches else None
        others = [match.profile for match in one.matches[1:4] if not one.matches[0].proven]
        profile = "" if best is None else f", profile: {best.profile}"
        remark = f"  # or {', '.join(others)}" if others else "" if best else "  # no profile fits: `mms-gateway guess`"
        rows.append(f"  unit{one.unit}: {{line: {line.name}, unit: {one.unit}{profile}}}{remark}")
    return "\n".join(rows)


def parse_units(text: str) -> list[int]:
    """The units of `1-247`, `1,2,17` or `1-8,100`. Raises ValueError."""
    units: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"`{text}` is no list of units, expected one as 1-247 or 1,2,17")
        units += range(int(first), int(last if dash else first) + 1)
    if not units or min(units) < 1 or max(units) > 255:
        raise ValueError(f"units {text}, expected 1..255")
    return units
