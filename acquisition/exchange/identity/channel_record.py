"""Record of the channels of a worker's lines, kept over restarts: each unit's lags, and if another master was ever heard.

    state/lags-WORKER.json    {"rs485-1": {"lags": {"1": [{"seconds": 0.62, "left_s": 86100.0}]}, "other_master": false}}

A unit's number is that of its responses; -2 is the whole line where it talks text. `left_s` are seconds of service: the time
while no worker runs does not count, and no time of day is compared with another one.
"""

from pathlib import Path

import msgspec

from acquisition.exchange.identity.lags import LagRecord


class ChannelRecord(msgspec.Struct, frozen=True):
    """Lags of the units of one line, and if another master, or another client of its serial server, was ever heard on it."""

    lags: LagRecord = {}
    other_master: bool = False


ChannelRecords = dict[str, ChannelRecord]
"""By the name of the line."""


def file_of(state_dir: Path, worker: str) -> Path:
    """File in which a worker keeps them."""
    return state_dir / f"lags-{worker}.json"


def load(path: Path) -> ChannelRecords:
    """Records in the file `path`; none if it is not there. Raises ValueError for a file of another form, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ChannelRecords)
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path}: {error}") from error


def save(path: Path, records: ChannelRecords) -> None:
    """Write `path` whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=2))
    fresh.replace(path)
