"""The second path to a device: who speaks for it, its first line or its fallback (pure).

    FIRST ──silent on its first line──► SECOND ──the first line has it again──► FIRST
                                          └── silent there too: it is offline, and whichever answers speaks

While the second path speaks, the first is probed as any dead device is, and what it finds out is not published: the
device is not silent. While the first speaks, the second rests and asks nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol


class Path(Protocol):
    """One line, as seen from here."""

    @property
    def name(self) -> str:
        """Its name."""

    def rest(self, device: str) -> None:
        """Ask `device` no more."""

    def resume(self, device: str) -> None:
        """Ask `device` all it has, now."""


@dataclass(slots=True)
class _Route:
    first: Path
    second: Path
    on_second: bool = False


OnSwitch = Callable[[str, str], None]
"""Gets the name of a device and a line of text about it."""


class Paths:
    """The devices of one worker that have two paths. `on_switch` is called for each switch."""

    def __init__(self, on_switch: OnSwitch) -> None:
        self._on_switch = on_switch
        self._routes: dict[str, _Route] = {}

    def add(self, device: str, first: Path, second: Path) -> None:
        """`device` is on `first`, and on `second` while it is silent there."""
        self._routes[device] = _Route(first, second)

    def devices(self) -> Iterable[str]:
        """Those that have two paths."""
        return self._routes.keys()

    def active(self, device: str) -> Path | None:
        """The path that speaks for `device`; None if it has one only."""
        route = self._routes.get(device)
        return None if route is None else route.second if route.on_second else route.first

    def speaks(self, device: str, path: Path) -> bool:
        """True if what `path` finds out about `device` counts."""
        return self.active(device) in (None, path)

    def silent(self, device: str, path: Path, reason: str) -> None:
        """`device` is silent on `path`: its second path takes over from the first."""
        route = self._routes.get(device)
        if route is None or route.on_second or path is not route.first:
            return
        route.on_second = True
        self._on_switch(device, f"by its second path, line {route.second.name}: {reason}")
        route.second.resume(device)

    def heard(self, device: str, path: Path) -> None:
        """`device` has answered on `path`: if it is the first, it speaks again."""
        route = self._routes.get(device)
        if route is None or not route.on_second or path is not route.first:
            return
        route.on_second = False
        self._on_switch(device, f"by its first path again, line {route.first.name}")
        route.second.rest(device)
