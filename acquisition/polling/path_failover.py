"""Fail-over between the two paths to a device: its first line, and its fallback (pure).

    FIRST ──offline on its first line──► SECOND ──answers on the first line again──► FIRST
                                           └── offline there too: whichever path answers first is the active one

The second path is for the time that the first one is silent (D50). While it is active, the first is probed as any dead
device is, and publishes nothing: the device is online. While the first is active, the second requests nothing.

Both paths lead to one device: a response that is outstanding on the one that fails may come on the other one (D126).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from acquisition.drivers.base import Read, Write


class OwedRequest(NamedTuple):
    """A request without a response, when it was sent, and until when its response may come."""

    request: Read | Write
    asked_at: float
    until: float


class Path(Protocol):
    """One line, as seen from here."""

    @property
    def name(self) -> str:
        """Its name."""

    def suspend(self, device: str) -> None:
        """Request nothing of `device` any more."""

    def resume(self, device: str) -> None:
        """Request all blocks of `device` now."""

    def owed(self, device: str) -> Sequence[OwedRequest]:
        """Requests to `device` whose responses are outstanding."""

    def expect(self, device: str, owed: Sequence[OwedRequest]) -> None:
        """Responses of `device` to `owed`, requests on its other path, may come on this one."""


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
        """`device` is on `first`, and on `second` while it is offline there."""
        self._routes[device] = _Route(first, second)

    def devices(self) -> Iterable[str]:
        """Names of the devices that have two paths."""
        return self._routes.keys()

    def active(self, device: str) -> Path | None:
        """The active path of `device`; None if it has one only."""
        route = self._routes.get(device)
        return None if route is None else route.second if route.on_second else route.first

    def is_active(self, device: str, path: Path) -> bool:
        """True if `path` publishes the values and the status of `device`."""
        return self.active(device) in (None, path)

    def failed(self, device: str, path: Path, reason: str) -> None:
        """`device` is offline on `path`: its second path takes over from the first."""
        route = self._routes.get(device)
        if route is None or route.on_second or path is not route.first:
            return
        route.on_second = True
        self._on_switch(device, f"by its second path, line {route.second.name}: {reason}")
        route.second.resume(device)
        route.second.expect(device, route.first.owed(device))

    def answered(self, device: str, path: Path) -> None:
        """`device` has answered on `path`: if that is the first, it is the active one again."""
        route = self._routes.get(device)
        if route is None or not route.on_second or path is not route.first:
            return
        route.on_second = False
        self._on_switch(device, f"by its first path again, line {route.first.name}")
        route.second.suspend(device)
        route.first.expect(device, route.second.owed(device))
