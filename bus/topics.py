"""Topics of the bus in numbers: period, high-water mark, and the silence that means loss."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Topic:
    """One kind of traffic: its socket pattern, its period, after what silence it counts as lost, its high-water mark."""

    pattern: str
    period_s: float | None
    stale_after_s: float | None
    high_water: int


TOPICS: Final = {
    "batches": Topic("PUB/SUB", None, None, 10_000),
    "heartbeat": Topic("PUB/SUB", 0.5, 2.0, 10_000),
    "snapshot": Topic("DEALER/ROUTER", None, 1.0, 16),
    "commands": Topic("DEALER/ROUTER", None, None, 64),
}
MESSAGE_LIMIT_OCTETS: Final = 16 * 1024 * 1024
PATH_LIMIT_OCTETS: Final = 107


def publication_endpoint(run_dir: Path, worker: str) -> str:
    """The endpoint of a worker's batches and heartbeats."""
    return _endpoint(run_dir, worker, "pub")


def request_endpoint(run_dir: Path, worker: str) -> str:
    """The endpoint that answers snapshot requests and takes commands."""
    return _endpoint(run_dir, worker, "ask")


def _endpoint(run_dir: Path, worker: str, kind: str) -> str:
    path = run_dir / f"{worker}.{kind}"
    if len(str(path).encode()) > PATH_LIMIT_OCTETS:
        raise ValueError(f"socket path {path} is over {PATH_LIMIT_OCTETS} octets: choose a shorter run folder")
    return f"ipc://{path}"
