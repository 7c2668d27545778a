"""Compiling a site for a command: with the drivers' settings, and its findings on stderr."""

import sys
from pathlib import Path

from acquisition.drivers.registry import by_protocol
from mapping.compile import Compiled, compile_site
from mapping.diagnostics import Diagnostic, render


def compiled(site: Path, lines: Path | None = None) -> Compiled:
    """The site at `site`; `lines` is laid over its lines."""
    return compile_site(site, {name: spec.settings for name, spec in by_protocol().items()}, lines=lines)


def say(findings: list[Diagnostic]) -> None:
    """Print findings on stderr, the first fifty whole."""
    if findings:
        sys.stderr.write(render(findings) + "\n")
