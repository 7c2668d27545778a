"""Pulses that are on: their object takes no other command until they have ended (pure).

A position may prove a command while the coil of the pulse is still on. Another command at that time would energize both
coils, or would be cut short by the end of the first pulse.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Pulse:
    """One pulse: the number of its command, the worker that ends it, and the time after which the worker gives up."""

    number: int
    worker: str
    until_ns: int


@dataclass(slots=True)
class Pulses:
    """The last pulse of each object, while it is on."""

    _on: dict[str, _Pulse] = field(default_factory=dict)

    def begun(self, reference: str, number: int, worker: str, until_ns: int) -> None:
        """Command `number` begins a pulse of the object `reference`, which has ended by `until_ns` or never will."""
        self._on[reference] = _Pulse(number, worker, until_ns)

    def ended(self, number: int) -> None:
        """Remove the pulse of a command whose final result has come."""
        self._on = {reference: one for reference, one in self._on.items() if one.number != number}

    def lost(self, worker: str) -> None:
        """Remove the pulses of a silent worker, which will not end them."""
        self._on = {reference: one for reference, one in self._on.items() if one.worker != worker}

    def on(self, reference: str, now_ns: int) -> bool:
        """True while a pulse of the object is on."""
        pulse = self._on.get(reference)
        return pulse is not None and now_ns < pulse.until_ns
