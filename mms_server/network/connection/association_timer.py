"""The time limits of one association, on the loop (shell)."""

import asyncio
from collections.abc import Callable

from mms_server.association.server_end import Association


class AssociationTimer:
    """Calls `association.expire` at its deadline."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def set(self, expired: Callable[[], None]) -> None:
        """Set the timer to the association's present deadline; `expired` is called behind it."""
        deadline = self._association.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._overdue, expired)

    def cancel(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _overdue(self, expired: Callable[[], None]) -> None:
        self._association.expire(self._loop.time())
        expired()
