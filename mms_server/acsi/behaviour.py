"""A behaviour: the part of a server that has state beyond one request, as control or reporting (pure).

Each is a class of its own in this folder and one line in `behaviours`. The engine walks all of them when it starts, when
values have changed, when a client goes, and when time has passed; a behaviour has those methods that it needs.
"""

from collections.abc import Sequence
from typing import Final

from bus.quality import Stamp
from mms_server.acsi.clients import Client
from mms_server.mms.errors import DataAccessError
from mms_server.model.cache import Changes
from mms_server.model.datasets import DataSet

NEVER: Final = 1 << 63


class Behaviour:
    """A behaviour that does nothing. `problems`: stored state that could not be restored, one sentence each."""

    __slots__ = ()
    problems: Sequence[str] = ()

    def start(self, _now: Stamp) -> None:
        """The server begins: periods run from now on."""

    def changed(self, _changes: Changes, _now: Stamp) -> None:
        """One commit has changed values."""

    def closed(self, _client: Client, _now: Stamp) -> None:
        """A client is gone: release its reservations."""

    def deadline(self, _now: Stamp) -> None:
        """Act on the time `_now`."""

    def next_deadline_ns(self) -> int:
        """The time at which `deadline` is to be called, on the monotonic clock; NEVER for none."""
        return NEVER

    def uses(self, _data_set: DataSet) -> bool:
        """True if a control block has the data set as its DatSet, so that it cannot be deleted."""
        return False


class ControlBlocks(Behaviour):
    """A behaviour that has control blocks, which clients write attribute by attribute."""

    __slots__ = ()

    def owns(self, slot: int) -> bool:
        """True if `slot` is one of its control blocks, or in one."""
        raise NotImplementedError

    def write(self, client: Client, slot: int, tag: int, contents: bytes, now: Stamp) -> DataAccessError | None:
        """Write one attribute; the error, or None."""
        raise NotImplementedError
