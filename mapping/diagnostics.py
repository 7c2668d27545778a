"""Diagnostics for the engineer: place, message and hint; collected, never raised one at a time.

map.yaml:7:17: error[unknown-reference]: no data object `TotWatt` in LD0/MMXU1
  7 |   LD0/MMXU1.TotWatt: feeder1.total_active_power
    |             ^^^^^^^
  hint: did you mean `TotW`, `TotVA` or `TotPF`?
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mapping.diagnostic_codes import CODES, Severity

SHOWN: Final = 50


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A place in a file; lines and columns count from 1, `length` in characters. Line 1, column 1: the file as a whole.

    `template`: many things are made from what stands there; a fault of theirs is said once.
    """

    file: str
    line: int = 1
    column: int = 1
    length: int = 1
    template: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault, said once. `code` is a row of CODES and stable; `message` is lower case, no full stop.

    Raises LookupError for a code that the table does not have, or has with another severity only: a fault of ours.
    """

    severity: Severity
    code: str
    span: Span
    message: str
    notes: tuple[str, ...] = ()
    hint: str | None = None

    def __post_init__(self) -> None:
        row = CODES.get(self.code)
        if row is None or self.severity not in row.severities:
            raise LookupError(f"{self.severity.value}[{self.code}] is not in mapping/diagnostic_codes.py")

    def headline(self) -> str:
        """`file:line:column: error[code]: message`."""
        at = self.span
        return f"{at.file}:{at.line}:{at.column}: {self.severity.value}[{self.code}]: {self.message}"


@dataclass(slots=True)
class Diagnostics:
    """The collection that every pass adds to, in the order found."""

    found: list[Diagnostic] = field(default_factory=list)

    def error(self, code: str, span: Span, message: str, *, notes: Iterable[str] = (), hint: str | None = None) -> None:
        """Add an error."""
        self.add(Diagnostic(Severity.ERROR, code, span, message, tuple(notes), hint))

    def warning(
        self, code: str, span: Span, message: str, *, notes: Iterable[str] = (), hint: str | None = None
    ) -> None:
        """Add a warning."""
        self.add(Diagnostic(Severity.WARNING, code, span, message, tuple(notes), hint))

    def add_note(
        self, code: str, span: Span, message: str, *, notes: Iterable[str] = (), hint: str | None = None
    ) -> None:
        """Add a note."""
        self.add(Diagnostic(Severity.NOTE, code, span, message, tuple(notes), hint))

    def add(self, finding: Diagnostic) -> None:
        """Add a finding, unless another member of the same range has it already."""
        said = finding.span.template and any((one.code, one.span) == (finding.code, finding.span) for one in self.found)
        if not said:
            self.found.append(finding)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.found)

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors alone."""
        return [finding for finding in self.found if finding.severity is Severity.ERROR]

    @property
    def warnings(self) -> list[Diagnostic]:
        """The warnings alone."""
        return [finding for finding in self.found if finding.severity is Severity.WARNING]

    def raise_errors(self) -> None:
        """Raise MappingError with everything found if any of it is an error."""
        if self.errors:
            raise MappingError(tuple(self.found))


class MappingError(Exception):
    """The configuration cannot run. Carries all findings; the text is what an engineer reads."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(render(diagnostics))
        self.diagnostics = diagnostics


def did_you_mean(names: Iterable[str]) -> str | None:
    """The hint that offers `names`, nearest first; None if there are none."""
    quoted = [f"`{name}`" for name in names]
    if not quoted:
        return None
    listed = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
    return f"did you mean {listed}?"


def render(diagnostics: Iterable[Diagnostic], *, limit: int = SHOWN) -> str:
    """The findings as text with excerpt, caret, notes and hint: the first `limit`, then the number of the others."""
    listed = list(diagnostics)
    sources: dict[str, list[str]] = {}
    blocks = [_block(finding, _lines(finding.span.file, sources)) for finding in listed[:limit]]
    if len(listed) > limit:
        blocks.append(f"... and {len(listed) - limit} more")
    return "\n".join(blocks)


def findings(diagnostics: Iterable[Diagnostic]) -> list[dict[str, str | int]]:
    """The findings as objects that stand beside a table: `code`, `severity`, place, `text`, `hint` if there is one, `cure`."""
    return [
        {
            "code": one.code,
            "severity": one.severity.value,
            "file": one.span.file,
            "line": one.span.line,
            "column": one.span.column,
            "text": "\n".join((one.message, *one.notes)),
            **({} if one.hint is None else {"hint": one.hint}),
            "cure": CODES[one.code].cure,
        }
        for one in diagnostics
    ]


def to_json(diagnostics: Iterable[Diagnostic]) -> str:
    """The findings as a JSON array, one object each, for editors and CI."""
    return json.dumps(
        [
            {
                "severity": finding.severity.value,
                "code": finding.code,
                "file": finding.span.file,
                "line": finding.span.line,
                "column": finding.span.column,
                "length": finding.span.length,
                "message": finding.message,
                "notes": list(finding.notes),
                "hint": finding.hint,
            }
            for finding in diagnostics
        ],
        indent=2,
    )


def _lines(file: str, sources: dict[str, list[str]]) -> list[str]:
    if file not in sources:
        try:
            sources[file] = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            sources[file] = []  # the file itself is the finding: there is nothing to excerpt
    return sources[file]


def _block(finding: Diagnostic, lines: list[str]) -> str:
    at = finding.span
    text = [finding.headline()]
    if 0 < at.line <= len(lines):
        source = lines[at.line - 1].replace("\t", " ")
        start = max(0, at.column - 61) if len(source) > 120 else 0
        shown = source[start : start + 120]
        caret = " " * (at.column - 1 - start) + "^" * max(1, min(at.length, len(shown) - (at.column - 1 - start)))
        gutter = f"{at.line:>5}"
        text += [f"{gutter} | {shown}", f"{' ' * len(gutter)} | {caret}"]
    text += [f"  note: {note}" for note in finding.notes]
    if finding.hint:
        text.append(f"  hint: {finding.hint}")
    return "\n".join(text)
