"""The time limits of one association, on the loop (shell)."""

import asyncio
from collections.abc import Callable

from mms_server.association.server_end import Association


class AssociationTimer:
    """Lets time pass for `association` at its deadline, then calls `expired`."""

    def __init__(self, association: Association, expired: Callable[[], None]) -> None:
        self._association = association
        self._expired = expired
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        """Go by the deadline that the association has now."""
        deadline = self._association.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._overdue)

    def cancel(self) -> None:
        """Expire no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _overdue(self) -> None:
        self._association.expire(self._loop.time())
        self._expired()
