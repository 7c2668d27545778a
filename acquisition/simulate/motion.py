"""Motion in a simulated device: a breaker follows its coil, a tap changer goes step by step (pure).

coil written ──► position 0 (it travels) ──► after 300 ms the position that `values` names
higher pulsed ──► after 500 ms one step up, at most to `max`
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bus.messages import Value
from mapping.plan import PointPlan, Simulation

TRAVELLING = 0  # value of a position on its way


@dataclass(frozen=True, slots=True)
class Move:
    """The point `name` becomes `value` at `at_s`."""

    at_s: float
    name: str
    value: Value


class Motion:
    """The moves of one device that are still to come."""

    def __init__(self, points: Sequence[PointPlan]) -> None:
        self._moving = [(point.local_name, point.simulate) for point in points if point.simulate is not None]
        self._moves: list[Move] = []

    def rest(self, name: str, values: dict[str, Value]) -> Value | None:
        """Where the point `name` stands before anything has moved; None if nothing moves it."""
        how = dict(self._moving).get(name)
        if how is None:
            return None
        return min(max(0, how.least), how.most) if how.follows is None else _followed(how, values.get(how.follows))

    def driven(self, name: str, value: Value, values: dict[str, Value], now_s: float) -> list[Move]:
        """Moves that happen at once because the point `name` has become `value`; later ones are kept for `due`."""
        at_once: list[Move] = []
        for mover, how in self._moving:
            goal = self._goal(mover, values)
            wanted = _wanted(how, name, value, goal)
            if wanted is None or wanted == goal:
                continue
            self._moves = [one for one in self._moves if one.name != mover]
            if not how.after_ms:
                at_once.append(Move(now_s, mover, wanted))
                continue
            self._moves.append(Move(now_s + how.after_ms / 1000, mover, wanted))
            if how.follows is not None:
                at_once.append(Move(now_s, mover, TRAVELLING))
        return at_once

    def _goal(self, name: str, values: dict[str, Value]) -> Value:
        """Where the point is, or is on its way to."""
        return next((one.value for one in self._moves if one.name == name), values.get(name))

    def due(self, now_s: float) -> Iterator[Move]:
        """The moves whose time has come, the earliest first."""
        ready = sorted((one for one in self._moves if one.at_s <= now_s), key=lambda one: one.at_s)
        self._moves = [one for one in self._moves if one.at_s > now_s]
        yield from ready


def _wanted(how: Simulation, name: str, value: Value, goal: Value) -> Value | None:
    """Target of a mover because the point `name` has become `value`; None if it does not depend on that point."""
    if how.follows == name:
        return _followed(how, value)
    step = {how.up: 1, how.down: -1}.get(name) if how.follows is None and value is True else None
    if step is None:
        return None
    return min(max(int(float(goal or 0)) + step, how.least), how.most)


def _followed(how: Simulation, value: Value) -> Value:
    """Position that belongs to `value` of the point that is followed; 0 for one that `values` does not name."""
    return next((becomes for key, becomes in how.values if key == _text(value)), 0)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
