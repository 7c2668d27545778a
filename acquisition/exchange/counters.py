"""Counters of one line, by kind (pure); they travel in the heartbeat."""

from dataclasses import dataclass
from typing import Final

from acquisition.drivers.base import ExceptionResponse, Found

BUSY: Final = (5, 6)  # Modbus exceptions: acknowledge, server device busy (Modbus application protocol, section 7)


@dataclass(slots=True)
class Counters:
    """Requests and responses of one line, by kind."""

    requests: int = 0
    answers: int = 0
    timeouts: int = 0
    late: int = 0  # answers after their time-out
    doubled: int = 0  # answers that came twice
    foreign: int = 0  # sound frames that answer something else
    garbled: int = 0  # exchanges in which only unsound octets came: a wrong check sum, a cut frame
    babble: int = 0  # exchanges put off since the line was never silent
    echoes: int = 0  # frames that the adapter sent back to us
    exceptions: int = 0
    busy: int = 0
    reconnects: int = 0
    discarded_octets: int = 0

    def count_response(self, found: Found) -> None:
        """Count a response that came in time."""
        self.answers += 1
        if isinstance(found, ExceptionResponse):
            self.exceptions += 1
            self.busy += found.code in BUSY

    def as_dict(self, prefix: str) -> dict[str, int]:
        """By name, each with the line's."""
        return {f"{prefix}.{name}": getattr(self, name) for name in self.__slots__}
