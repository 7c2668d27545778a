"""Compilation of a site for a command: with the protocols of all drivers, and its findings on stderr."""

import logging
import sys
from pathlib import Path

from acquisition.drivers.registry import protocols
from mapping.block_planning import turnaround
from mapping.block_planning.turnaround import Measured
from mapping.compile import Compiled, compile_site, site_file
from mapping.diagnostic_codes import Severity
from mapping.diagnostics import Diagnostic, render

log = logging.getLogger("gateway")


def compiled(site: Path, lines: Path | None = None, measured: Measured | None = None) -> Compiled:
    """The site at `site`; `lines` is laid over its lines, `measured` is how long its devices think."""
    return compile_site(site, protocols(), lines=lines, measured=measured)


def measured_of(site: Path, state_dir: Path | None) -> Measured:
    """How long the devices of `site` were seen to think, as its state folder knows it."""
    measured, problems = turnaround.of_site(state_dir or site_file(site).parent / "state")
    for problem in problems:
        log.warning("%s", problem)
    return measured


def say(findings: list[Diagnostic], *, notes: bool = False) -> None:
    """Print findings on stderr, the first fifty whole; notes only with `notes`."""
    said = [one for one in findings if notes or one.severity is not Severity.NOTE]
    if said:
        sys.stderr.write(render(said) + "\n")
