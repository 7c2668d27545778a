"""Subscription to the reports of one control block: reserves and enables it, reads reports with names, releases it.

    read the block ─► reserve (Resv, ResvTms) ─► OptFlds, TrgOps ─► RptEna ─► reports ... ─► RptEna false ─► released

The user does not name an instance: of `urcb01`, `urcb02` ... the first that is free is taken.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from bus.quality import UtcTime
from mapping.model import FC
from mapping.references import ObjectReference, nearest
from mms_server.client.data_sets import members
from mms_server.client.directory import Directory, Variable
from mms_server.client.errors import MmsError, understood
from mms_server.client.information import Information, RawReport
from mms_server.client.session import Session
from mms_server.client.types import Structure, Value, decode, encode_for, inside, same
from mms_server.mms import report
from mms_server.mms.errors import DataAccessError
from mms_server.stack.errors import WireError

WITHIN_S: Final = 2.0
INTEGRITY: Final = 0x02  # of TrgOps
INTERROGATION: Final = 0x01
RESERVED_S: Final = 1  # how long a BRCB stays reserved when its client has gone
NEEDED: Final = {"RptID", "RptEna", "DatSet", "OptFlds", "TrgOps"}
_BLOCKS: Final = (FC.RP, FC.BR)
_TAKEN: Final = (DataAccessError.TEMPORARILY_UNAVAILABLE, DataAccessError.OBJECT_ACCESS_DENIED)


@dataclass(frozen=True, slots=True)
class Report:
    """One report, whole. Members go by their references, with the LD as it was named when the block was asked for.

    `values` are those of the members in this report, in the order of the data set; `reasons` say why each is there
    (`data-change`, `quality-change`, `data-update`, `integrity`, `general-interrogation`), none where the block does not say.
    """

    rpt_id: str
    sq_num: int | None
    time: UtcTime | None
    overflow: bool | None
    entry_id: bytes | None
    values: dict[str, Value]
    reasons: dict[str, tuple[str, ...]]

    def get(self, reference: str) -> Value | None:
        """The value of a member, or of what is within one (`MAIN/MMXU1.Hz.mag.f` of `MAIN/MMXU1.Hz`); None if it is not here."""
        for member, value in self.values.items():
            if reference == member:
                return value
            if reference.startswith(f"{member}."):
                try:
                    return inside(value, reference.removeprefix(f"{member}.").split("."))
                except LookupError:
                    continue  # another member may have it, under another FC
        return None


class Subscription:
    """A control block in use: `next`, or iterate; a context manager that gives it back. See MmsClient.reports."""

    def __init__(
        self, session: Session, directory: Directory, rcb: str, *, interrogate: bool, integrity_ms: int, backlog: bool
    ) -> None:
        self._session = session
        self._directory = directory
        self.rcb = rcb
        self._interrogate = interrogate
        self._integrity_ms = integrity_ms
        self._backlog = backlog
        self._block, attributes = self._reserved()
        stripped = self._block.domain.removesuffix(ObjectReference.parse(rcb).ld)
        self._members = members(session, directory, str(attributes["DatSet"]), stripped)
        self._rpt_id = self._enable(attributes)

    # ------------------------------------------------------------------ which block

    def _reserved(self) -> tuple[Variable, dict[str, Value]]:
        """The first block of that name that we get, and its attributes. Raises MmsError."""
        refused = "in use"
        instances = self._instances()
        for block in instances:
            attributes = self._attributes(block)
            if attributes["RptEna"] or attributes.get("Resv"):
                continue
            try:
                if "Resv" in attributes:
                    self._write(block, "Resv", True)
                elif "ResvTms" in attributes:
                    self._write(block, "ResvTms", RESERVED_S)
            except MmsError as error:
                if error.error not in _TAKEN:
                    raise
                refused = error.reason
                continue
            return block, attributes
        raise MmsError(self.rcb, f"none is free of {', '.join(one.item for one in instances)}: {refused}")

    def _instances(self) -> list[Variable]:
        reference = ObjectReference.parse(self.rcb)
        domain = self._directory.domain(reference.ld)
        items = self._directory.items(domain)
        name = ".".join(reference.path)
        found = [
            Variable(domain, item, fc)
            for fc in _BLOCKS
            for item in items
            if re.fullmatch(rf"{re.escape(f'{reference.ln}${fc.value}${name}')}([0-9]{{2}})?", item)
        ]
        if found:
            return found
        known = {item.split("$")[2] for item in items if item.count("$") == 2 and item.split("$")[1] in _BLOCKS}
        near = ", ".join(nearest(name, known))
        raise MmsError(self.rcb, f"no such report control block{f'; near it: {near}' if near else ''}")

    def _attributes(self, block: Variable) -> dict[str, Value]:
        (result,) = self._session.read(self.rcb, (block.domain, block.item))
        if isinstance(result, DataAccessError):
            raise MmsError.refused(self.rcb, result)
        kind = self._directory.type_of(block)
        with understood(self.rcb):
            attributes = decode(result, kind)
        if not isinstance(attributes, dict) or not NEEDED.issubset(attributes):
            raise MmsError(self.rcb, "no report control block")
        return attributes

    def _write(self, block: Variable, name: str, value: object) -> None:
        kind = self._directory.type_of(block)
        if isinstance(kind, Structure) and name in kind.members:
            subject = f"{self.rcb} {name}"
            data = encode_for(subject, kind.members[name], value)
            self._session.write(subject, block.domain, f"{block.item}${name}", data)

    # ------------------------------------------------------------------ in use

    def _enable(self, attributes: dict[str, Value]) -> str:
        """Set it up and enable it; the RptID of its reports."""
        block = self._block
        fields, triggers = attributes["OptFlds"], attributes["TrgOps"]
        if not isinstance(fields, int) or not isinstance(triggers, int):
            raise MmsError(self.rcb, "no report control block: its OptFlds and TrgOps are no bit strings")
        wanted = fields | report.SEQUENCE | report.REASON
        if wanted != fields:
            try:
                self._write(block, "OptFlds", wanted)
            except MmsError as error:
                if error.error not in _TAKEN:
                    raise  # else the model fixes them: reports come without reasons then
        triggers |= INTERROGATION * self._interrogate | INTEGRITY * bool(self._integrity_ms)
        if triggers != attributes["TrgOps"]:
            self._write(block, "TrgOps", triggers)
        if self._integrity_ms:
            self._write(block, "IntgPd", self._integrity_ms)
        if not self._backlog:
            self._write(block, "PurgeBuf", True)
        self._write(block, "RptEna", True)
        if self._interrogate:
            self._write(block, "GI", True)
        return str(attributes["RptID"]) or str(block)

    def next(self, within: float = WITHIN_S) -> Report:
        """The next report. Raises AssertionError if none comes for `within` seconds."""
        found = self._next(within)
        if found is None:
            raise AssertionError(f"no report of {self.rcb} within {within:g} s")
        return found

    def wait(self, reference: str, value: object, within: float = WITHIN_S) -> Report:
        """The first report in which `reference` is `value`; those before it are gone.

        Raises AssertionError if none comes within `within` seconds, which says what the last report had instead.
        """
        until_ns = self._session.until_ns(within)
        seen: Value | None = None
        while (found := self._next_until(until_ns)) is not None:
            told = found.get(reference)
            if told is not None and same(told, value):
                return found
            seen = seen if told is None else told
        was = "nothing of it" if seen is None else repr(seen)
        raise AssertionError(f"reports of {self.rcb} say {was} for {reference} within {within:g} s, expected {value!r}")

    def __iter__(self) -> Iterator[Report]:
        """Every report, until none comes for two seconds."""
        while (found := self._next(WITHIN_S)) is not None:
            yield found

    def _next(self, within: float) -> Report | None:
        return self._next_until(self._session.until_ns(within))

    def _next_until(self, until_ns: int) -> Report | None:
        segments: list[RawReport] = []
        while not segments or segments[-1].more:
            segment = self._session.hear(self._ours, until_ns)
            if segment is None:
                return None
            segments.append(segment)
        try:
            return self._whole(segments)
        except (WireError, LookupError) as error:
            raise MmsError(self.rcb, f"a report that does not fit its data set: {error}") from error

    def _ours(self, told: Information) -> RawReport | None:
        return told if isinstance(told, RawReport) and told.rpt_id == self._rpt_id else None

    def _whole(self, segments: list[RawReport]) -> Report:
        first = segments[0]
        values: dict[str, Value] = {}
        reasons: dict[str, tuple[str, ...]] = {}
        for one in (one for segment in segments for one in segment.members):
            member = self._members[one.number]
            values[member.reference] = decode(one.data, member.kind)
            if one.reasons is not None:
                reasons[member.reference] = one.reasons
        time = None if first.time_ns is None else UtcTime(first.time_ns)
        return Report(first.rpt_id, first.sq_num, time, first.overflow, first.entry_id, values, reasons)

    def close(self) -> None:
        """Disable it and give it back. Nothing where the association has ended: so have its reservations."""
        if self._session.ended:
            return
        self._write(self._block, "RptEna", False)
        self._write(self._block, "Resv", False)
        self._write(self._block, "ResvTms", 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
