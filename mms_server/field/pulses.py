"""Pulses that are on: their object takes no other command until they have ended (pure).

What is proven by a position may be so while its coil is still on. Another command then would set the coil that moves it
back beside it, or be cut short by the end of the pulse before.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Pulse:
    """One pulse: the command that began it, whose it is to end, and when nobody tries that any more."""

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
        """Its worker has said the last word of a command."""
        self._on = {reference: one for reference, one in self._on.items() if one.number != number}

    def lost(self, worker: str) -> None:
        """A worker is silent, and will not end what it has begun."""
        self._on = {reference: one for reference, one in self._on.items() if one.worker != worker}

    def on(self, reference: str, now_ns: int) -> bool:
        """True while a pulse of the object is on, as far as anybody knows."""
        pulse = self._on.get(reference)
        return pulse is not None and now_ns < pulse.until_ns
