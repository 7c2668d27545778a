"""Times of one line: how long a frame takes, and when the next one may be sent (pure; time is a parameter).

On a serial line a frame is preceded by a silence of 3.5 characters, above 19200 baud by 1.75 ms (Modbus over serial line,
section 2.5.1.1). `delay_between` of the site and a device's own `pause_ms` make it longer. Octets that come meanwhile
begin the silence anew.
"""

from dataclasses import dataclass
from typing import Final

from acquisition.drivers.base import DriverSpec
from mapping.plan import DevicePlan, LinePlan

SILENCE_CHARACTERS: Final = 3.5
SILENCE_FAST_S: Final = 0.00175  # above 19200 baud


@dataclass(frozen=True, slots=True)
class LineTiming:
    """Times of a line as its plan has them, in seconds. `character_s`: of one octet of a frame; 0 without a serial line."""

    baudrate: int
    character_s: float
    response_character_s: float  # of one octet of data, as many characters as the protocol has for it
    silence_s: float  # before each frame
    between_s: float  # from the end of one exchange to the next frame
    after_connect_s: float

    @classmethod
    def of(cls, plan: LinePlan, spec: DriverSpec) -> "LineTiming":
        """The timing of `plan`, on which `spec` talks."""
        settings = plan.settings
        baudrate = int(settings.get("baudrate", 9600))
        character_s = _character_s(plan) if spec.serial else 0.0
        fast = baudrate > 19200
        return cls(
            baudrate,
            character_s,
            spec.protocol.framing.characters * character_s,
            (SILENCE_FAST_S if fast else SILENCE_CHARACTERS * character_s) if spec.protocol.framing.silence else 0.0,
            float(settings.get("delay_between", 0)) / 1000,
            float(settings.get("delay_after_connect", 0)) / 1000,
        )


class FrameSilence:
    """Silence of one line: since when it lasts, and when it is long enough for the next frame."""

    def __init__(self, timing: LineTiming, now: float) -> None:
        self._timing = timing
        self._quiet_since = self._free_from = now
        self._ended_at: dict[int, float] = {}  # when the last exchange with a unit ended

    @property
    def since(self) -> float:
        """Time since which no octet has come."""
        return self._quiet_since

    def opened(self, now: float) -> None:
        """The port was opened."""
        self._quiet_since = now
        self._free_from = now + self._timing.after_connect_s

    def broken(self, now: float) -> None:
        """Octets have come."""
        self._quiet_since = now

    def exchange_ended(self, unit: int, now: float) -> None:
        """The exchange with `unit` is over, with a response or without."""
        self._ended_at[unit] = now
        self._free_from = now + self._timing.between_s

    def free_at(self, device: DevicePlan) -> float:
        """Time from which a frame may be sent to `device`."""
        free = max(self._quiet_since + self._timing.silence_s, self._free_from)
        if device.polling.pause_ms and device.unit in self._ended_at:
            free = max(free, self._ended_at[device.unit] + device.polling.pause_ms / 1000)
        return free


def _character_s(plan: LinePlan) -> float:
    settings = plan.settings
    parity = 0 if settings.get("parity", "none") == "none" else 1
    bits = 1 + int(settings.get("data_bits", 8)) + parity + int(settings.get("stop_bits", 1))
    return bits / float(settings.get("baudrate", 9600))
