"""Options of `run` and `demo`."""

from dataclasses import dataclass, field
from pathlib import Path

from bus.endpoint import Endpoint
from mms_server.redundancy.standby import PairOptions


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `run` and `demo` were told."""

    mms_ports: dict[str, int] = field(default_factory=dict)  # IED -> port
    http: Endpoint | None = None
    state_dir: Path | None = None
    seconds: float | None = None
    lines: Path | None = None
    simulate: bool = False
    mms_host: str | None = None  # instead of each IED's own
    log_format: str = "console"
    pair: PairOptions | None = None
