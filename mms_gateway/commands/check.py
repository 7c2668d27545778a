"""`mms-gateway check SITE`: everything that is wrong with a site, or that it is sound."""

import sys
from pathlib import Path
from typing import Final, Literal

from mapping.diagnostics import to_json
from mms_gateway.command import BAD_CONFIGURATION, OK, Command
from mms_gateway.sites import compiled, say


def check(site: Path, /, *, format: Literal["text", "json"] = "text", strict: bool = False) -> int:  # noqa: A002
    """Compile a site and print all findings.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    format
        text for people, json for editors and CI (on stdout).
    strict
        Warnings are errors.
    """
    result = compiled(site)
    found = result.diagnostics
    if format == "json":
        sys.stdout.write(to_json(found.found) + "\n")
    else:
        say(found.found)
    bad = bool(found.errors) or (strict and bool(found.warnings))
    if format == "text" and not bad and result.plan is not None:
        points = sum(point.polled for point in result.plan.points().values())
        ieds, workers = _count(len(result.plan.ieds), "IED"), _count(len(result.plan.workers), "worker")
        sys.stdout.write(f"sound: {ieds}, {workers}, {_count(points, 'point')}, plan {result.plan.revision}\n")
    return BAD_CONFIGURATION if bad else OK


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


COMMAND: Final = Command("check", check)
