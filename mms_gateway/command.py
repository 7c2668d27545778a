"""Types of a subcommand, and the exit codes. A leaf: the command line imports it everywhere, it imports nothing of ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

import cyclopts

OK: Final = 0
FAILED: Final = 1
BAD_CONFIGURATION: Final = 2
WRONG_USAGE: Final = 64

Port = Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=0, lte=65535))]


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its name and what it does, which returns the exit code."""

    name: str
    run: Callable[..., int]
