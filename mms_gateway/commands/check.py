"""`mms-gateway check SITE`: everything that is wrong with a site, or that it is sound; `--explain CODE`: one code of findings."""

import sys
from pathlib import Path
from typing import Final, Literal

from mapping.diagnostic_codes import CODES
from mapping.diagnostics import did_you_mean, to_json
from mapping.located_yaml.validated import nearest
from mms_gateway.command import BAD_CONFIGURATION, OK, WRONG_USAGE, Command
from mms_gateway.sites import compiled, say


def check(
    site: Path | None = None,
    /,
    *,
    format: Literal["text", "json"] = "text",  # noqa: A002
    strict: bool = False,
    explain: str | None = None,
) -> int:
    """Compile a site and print all findings.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    format
        text for people, json for editors and CI (on stdout).
    strict
        Warnings are errors.
    explain
        Print severity, meaning, an example and the cure of this code of findings; takes no SITE.
    """
    if explain is not None and site is None:
        return _explained(explain)
    if site is None or explain is not None:
        return _wrong("`check` takes SITE, or --explain CODE")
    return _checked(site, format, strict)


def _checked(site: Path, format: str, strict: bool) -> int:  # noqa: A002
    result = compiled(site)
    found = result.diagnostics
    if format == "json":
        sys.stdout.write(to_json(found.found) + "\n")
    else:
        say(found.found, notes=True)
    bad = bool(found.errors) or (strict and bool(found.warnings))
    if format == "text" and not bad and result.plan is not None:
        points = sum(point.polled for point in result.plan.points().values())
        ieds, workers = _count(len(result.plan.ieds), "IED"), _count(len(result.plan.workers), "worker")
        sys.stdout.write(f"sound: {ieds}, {workers}, {_count(points, 'point')}, plan {result.plan.revision}\n")
    return BAD_CONFIGURATION if bad else OK


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _explained(name: str) -> int:
    code = CODES.get(name)
    if code is None:
        hint = did_you_mean(nearest(name, list(CODES)))
        return _wrong(f"no finding has the code `{name}`{f': {hint}' if hint else ''}")
    severities = " or ".join(one.value for one in code.severities)
    example = "\n".join(f"  {line}" for line in (f"# {code.file}", *code.example.splitlines()))
    sys.stdout.write(f"{severities}[{code.name}]: {code.meaning}\n\n{example}\n\n{code.cure}\n")
    return OK


def _wrong(text: str) -> int:
    sys.stderr.write(f"mms-gateway: {text}\n")
    return WRONG_USAGE


COMMAND: Final = Command("check", check)
