"""A process for `serve --simulate-process`: every control that is accepted drives its own status, as a field device would."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from mapping.model import FC
from mms_server.acsi.control.process import Process
from mms_server.acsi.control.selection import Operation
from mms_server.acsi.controllable_objects import ControlObject
from mms_server.mms.data import BitString

TRANSIT_S: Final = 0.5
INTERMEDIATE, OFF, ON = 0, 1, 2
LOWER, HIGHER = 1, 2  # of a Tcmd
Update = Callable[[list[tuple[int, object]]], None]


class SimulatedProcess(Process):
    """Carries operations out on the model itself, through `update`."""

    def __init__(self, update: Update) -> None:
        self._update = update
        self._travelling: dict[ControlObject, asyncio.Task[None]] = {}

    async def begin(self, operation: Operation) -> bool:
        """Carry the operation out with normal security; only accept it with enhanced security."""
        return True if operation.enhanced else await self.complete(operation)

    async def complete(self, operation: Operation) -> bool:
        """Let the status follow: a double point through its intermediate position, anything else at once.

        A double point reaches its end position even if the operation is cancelled meanwhile.
        """
        if operation.action.test:
            return True
        target, value = operation.target, operation.action.value
        status = target.slot(FC.ST, "stVal")
        kind = None if status is None else target.model.node(status).kind
        if status is not None and isinstance(kind, BitString):
            await asyncio.shield(self._travels(target, status, ON if value else OFF))
        elif status is not None:
            self._set(target, FC.ST, [(status, value)])
        else:
            self._step_or_measure(target, value)
        return True

    def _travels(self, target: ControlObject, status: int, position: int) -> asyncio.Task[None]:
        """The task that moves to `position`; a move that has not ended yet is cancelled."""
        if target in self._travelling:
            self._travelling[target].cancel()
        way = self._travelling[target] = asyncio.create_task(self._travel(target, status, position))
        return way

    async def _travel(self, target: ControlObject, status: int, position: int) -> None:
        self._set(target, FC.ST, [(status, INTERMEDIATE)])
        await asyncio.sleep(TRANSIT_S)
        self._set(target, FC.ST, [(status, position)])

    def _step_or_measure(self, target: ControlObject, value: object) -> None:
        stepped = isinstance(target.model.node(target.slots["Oper"] + 1).kind, BitString)
        step = {LOWER: -1, HIGHER: 1}.get(value, 0) if stepped and isinstance(value, int) else 0
        position = target.slot(FC.ST, "valWTr$posVal")
        if position is not None and isinstance(value, int):
            moved = self._moved(target, position, step) if stepped else value
            self._set(target, FC.ST, [(position, max(-64, min(63, int(moved))))])
        elif stepped:
            measured = [slot for part in ("f", "i") if (slot := target.slot(FC.MX, f"mxVal${part}")) is not None]
            self._set(target, FC.MX, [(slot, self._moved(target, slot, step)) for slot in measured])
        elif isinstance(value, dict):
            found = [(target.slot(FC.MX, f"mxVal${part}"), one) for part, one in value.items()]
            self._set(target, FC.MX, [(slot, one) for slot, one in found if slot is not None])

    @staticmethod
    def _moved(target: ControlObject, slot: int, step: int) -> float:
        now = target.model.cache.values[slot]
        return now + step if isinstance(now, int | float) else step

    def _set(self, target: ControlObject, fc: FC, pairs: list[tuple[int, object]]) -> None:
        stamp, judged = target.slot(fc, "t"), target.slot(fc, "q")
        if stamp is not None:
            pairs.append((stamp, time.time()))
        if judged is not None:
            pairs.append((judged, 0))
        self._update(pairs)
