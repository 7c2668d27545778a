"""Findings of a scan: conditions of the line that showed while it was asked, each with the cure (pure)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from acquisition.exchange.identity.conditions import ConditionName, LineCondition
from acquisition.transport.errors import NoConnectionError
from mms_gateway.commissioning.host_checks import CURES


@dataclass(frozen=True, slots=True)
class Finding:
    """A condition of the line, by its code. `error`: the scan ended for it."""

    code: str
    severity: Literal["warning", "error"]
    text: str

    @property
    def hint(self) -> str:
        """The cure."""
        return CURES[self.code]

    def shown(self) -> str:
        """The finding for people."""
        return f"{self.severity}[{self.code}]: {self.text}\n  hint: {self.hint}"

    def fields(self) -> dict[str, str]:
        """The finding for programs."""
        return {"code": self.code, "severity": self.severity, "text": self.text, "hint": self.hint}


class OtherMasterError(NoConnectionError):
    """Another master talks on the line, or something else than the unit that was asked: it is scanned no further."""

    def __init__(self, text: str, code: ConditionName) -> None:
        super().__init__(text)
        self.finding = Finding(code, "error", text)


def of_conditions(conditions: Iterable[LineCondition]) -> list[Finding]:
    """Findings of the conditions."""
    return [Finding(one.name, "warning", one.evidence) for one in conditions]


def as_json(columns: Sequence[str], rows: Iterable[Sequence[str]], findings: Iterable[Finding]) -> str:
    """The table and the findings as one JSON object."""
    return json.dumps(
        {"columns": columns, "rows": [list(row) for row in rows], "findings": [one.fields() for one in findings]},
        indent=2,
    )
