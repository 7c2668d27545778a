"""Loop around a port: carries out the steps of a line's exchanges, one after the other, in real time (shell).

steps (exchange.port_steps) ──► port.open, write, read, close ──► the time, and the octets received ──► the next step
"""

import asyncio
from typing import TypeVar

from acquisition.exchange.port_steps import (
    Close,
    LineTime,
    Open,
    PortStep,
    Receive,
    Rest,
    Send,
    SetBaudrate,
    Steps,
)
from acquisition.transport.errors import NoConnectionError
from acquisition.transport.ports import Port

T = TypeVar("T")


class PortLoop:
    """The port of one line and the time of its steps; made within a running loop. `wake` ends a wakeable rest."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._woken = False
        self._resting: asyncio.Future[None] | None = None
        self.time = LineTime(self._loop.time())

    def wake(self) -> None:
        """End the wakeable rest, or the next one at once."""
        self._woken = True
        self._end_rest()

    async def run(self, steps: Steps[T]) -> T:
        """Carry out `steps` to their end; their result. Raises what they raise, NoConnectionError among them."""
        self.time.now = self._loop.time()
        try:
            step = next(steps)
            while True:
                try:
                    octets = await self._carry_out(step)
                except NoConnectionError as error:
                    self.time.now = self._loop.time()
                    step = steps.throw(error)
                else:
                    self.time.now = self._loop.time()
                    step = steps.send(octets)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    async def _carry_out(self, step: PortStep) -> bytes:
        match step:
            case Receive(until):
                octets = await self._port.read(until - self._loop.time())
                self.time.came_at = self._port.came_at or self._loop.time()
                return octets
            case Send(octets):
                await self._port.write(octets)
            case Rest(until, wakeable):
                await self._rest(until - self._loop.time(), wakeable=wakeable)
            case Open():
                await self._port.open()
            case Close():
                await self._port.close()
            case SetBaudrate(baudrate):
                await self._port.set_baudrate(baudrate)
        return b""

    async def _rest(self, seconds: float, *, wakeable: bool) -> None:
        if not wakeable:
            await asyncio.sleep(max(seconds, 0.0))
        elif not self._woken:
            self._resting = self._loop.create_future()
            timer = self._loop.call_later(max(seconds, 0.0), self._end_rest)
            try:
                await self._resting
            finally:
                timer.cancel()
                self._resting = None
        self._woken = self._woken and not wakeable

    def _end_rest(self) -> None:
        if self._resting is not None and not self._resting.done():
            self._resting.set_result(None)
