"""`mms-gateway doctor [SITE]`: what keeps this host and this site's lines from working, with the command that helps."""

import sys
from pathlib import Path
from typing import Final

from mms_gateway.command import FAILED, OK, Command
from mms_gateway.commissioning.exit_codes import carried_out
from mms_gateway.commissioning.explain.name_lookup import place
from mms_gateway.commissioning.host_checks import Level, Line, examine
from mms_gateway.commissioning.host_facts import gathered


def doctor(site: Path | None = None, /, *, lines: Path | None = None, state_dir: Path | None = None) -> int:
    """Check port rights, adapters, echo, other masters, units, the clock, disk and versions. Each device is asked once.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it; without one only the host is looked at.
    lines
        A file whose lines are laid over the site's, as `simulate` writes it.
    state_dir
        State folder of the gateway that may be running; state/ beside site.yaml by default.
    """

    async def work() -> int:
        found = None if site is None else place(site, lines=lines, state_dir=state_dir)
        plan = None if found is None else found.compiled.plan
        state = found.state_dir if found is not None else state_dir or Path("state")
        examined = examine(await gathered(found, state, () if plan is None else plan.ieds))
        sys.stdout.write("\n".join(_text(line) for line in examined) + "\n")
        return FAILED if any(line.level is Level.FAIL for line in examined) else OK

    return carried_out(work())


def _text(line: Line) -> str:
    hint = f"\n      {line.hint}" if line.hint else ""
    return f"{line.level.value:<4}  {line.what}{hint}"


COMMAND: Final = Command("doctor", doctor)
