"""The client: reads every point of a scene at 10 Hz over MMS, and keeps value, quality and time of each."""

import threading
import time
from dataclasses import dataclass
from typing import Final

from bus.quality import UtcTime, is_good
from mms_server.client.errors import MmsError
from mms_server.client.session import Session
from mms_server.client.types import Value, decode
from mms_server.mms.errors import DataAccessError
from mms_server.network.client_connection import SocketWire

PERIOD_S: Final = 0.1
ANSWER_S: Final = 3.0
IN_ONE_READ: Final = 40
ROUNDS: Final = 6000  # ten minutes


@dataclass(frozen=True, slots=True)
class Reading:
    """One point as the server showed it; `stamp` is its `t` in seconds since 1970."""

    value: float
    good: bool
    stamp: float


@dataclass(frozen=True, slots=True)
class Round:
    """All points, read at the UTC time `at`; None where there was no value."""

    at: float
    readings: tuple[Reading | None, ...]


class Reader(threading.Thread):
    """Reads `items` (domain, item), each a data object with value, q and t, until `stop`."""

    def __init__(self, host: str, port: int, items: list[tuple[str, str]]) -> None:
        super().__init__(name="reader", daemon=True)
        self.rounds: list[Round] = []
        self.failure = ""
        self._host, self._port, self._items = host, port, items
        self._ended = threading.Event()
        self._session: Session | None = None

    def stop(self) -> None:
        """No further round."""
        self._ended.set()

    def run(self) -> None:
        """Rounds, one each tenth of a second; a server that is not there is asked again."""
        due = time.monotonic()
        while len(self.rounds) < ROUNDS and not self._ended.wait(max(due - time.monotonic(), 0)):
            due = max(due + PERIOD_S, time.monotonic())
            self.rounds.append(self._round())
        if self._session is not None:
            self._session.close()

    def _round(self) -> Round:
        try:
            found = [self._reading(one) for one in self._results()]
        except (MmsError, OSError) as error:
            self.failure = str(error)
            self._session = None
            found = [None] * len(self._items)
        return Round(time.time(), tuple(found))

    def _results(self) -> list[bytes | DataAccessError]:
        if self._session is None:
            address = f"{self._host}:{self._port}"
            self._session = Session(SocketWire(self._host, self._port, None, ANSWER_S), address, timeout_s=ANSWER_S)
        results: list[bytes | DataAccessError] = []
        for first in range(0, len(self._items), IN_ONE_READ):
            results += self._session.read("the points", *self._items[first : first + IN_ONE_READ])
        return results

    def _reading(self, result: bytes | DataAccessError) -> Reading | None:
        if isinstance(result, DataAccessError):
            self.failure = result.name
            return None
        leaves = _leaves(decode(result))
        at = next((at for at, one in enumerate(leaves) if isinstance(one, UtcTime)), 0)  # `t`; `q` is before it
        value = next((one for one in leaves if isinstance(one, bool | float)), None)
        quality, stamp = leaves[at - 1], leaves[at]
        if value is None or not isinstance(quality, int) or not isinstance(stamp, UtcTime):
            self.failure = "a data object without value, q and t"
            return None
        return Reading(float(value), is_good(quality), stamp.ns / 1e9)


def _leaves(value: Value) -> list[Value]:
    """The leaves of a structure in their order."""
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, list) else [value]
