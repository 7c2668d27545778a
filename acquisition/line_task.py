"""Task of one line: its turns on its port until it is cancelled, then the end of its pulses (shell)."""

import asyncio
import logging
import random
import time
from collections.abc import Callable

from acquisition.drivers.base import DriverSpec
from acquisition.exchange.identity.channel_record import ChannelRecord
from acquisition.exchange.port_factory import port_of
from acquisition.line import Line, Publish, RecordChanged, RefusalsChanged, Severity
from acquisition.polling.path_failover import Paths
from acquisition.polling.refused_registers import DeviceRefusals
from acquisition.port_loop import PortLoop
from acquisition.transport.ports import Port
from acquisition.writes.queue import END_S
from acquisition.writes.tasks import WriteTasks
from bus import logs
from bus.system_clock import SystemClock
from mapping.plan import LinePlan

LEVELS: dict[Severity, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

log = logging.getLogger("acquisition.line")


class LineTask:
    """A `line` on a port: that of its plan unless one is given. `clock` stamps its readings; the rest goes to `Line`."""

    def __init__(
        self,
        plan: LinePlan,
        spec: DriverSpec,
        publish: Publish,
        tasks: WriteTasks,
        clock: SystemClock,
        *,
        refused: dict[str, DeviceRefusals] | None = None,
        refused_changed: RefusalsChanged = lambda _device, _ranges, _identity: None,
        record: ChannelRecord | None = None,
        record_changed: RecordChanged = lambda _line, _record: None,
        port: Port | None = None,
        phase: float = 0.0,
        paths: Paths | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._port = port or port_of(plan, spec)
        self._loop = PortLoop(self._port)
        self.line = Line(
            plan,
            spec,
            publish,
            tasks,
            self._loop.time,
            clock.now,
            wake=self._loop.wake,
            log=_log,
            draw=draw,
            refused=refused,
            refused_changed=refused_changed,
            phase=phase,
            paths=paths,
            tag=time.monotonic_ns() & 0xFFFF,
            record=record,
            record_changed=record_changed,
        )

    async def run(self) -> None:
        """Poll for ever; ends by being cancelled. Every log record of it carries the line."""
        with logs.bound(line=self.line.name):
            try:
                await self._loop.run(self.line.turns())
            finally:
                await self._end()

    async def _end(self) -> None:
        try:
            async with asyncio.timeout(END_S):
                await self._loop.run(self.line.end_pulses())
        except TimeoutError:
            pass  # those that are left are given up, one by one
        finally:
            self.line.give_up_pulses()
            await self._port.close()


def _log(severity: Severity, text: str, device: str) -> None:
    log.log(LEVELS[severity], "%s", text, extra={"device": device} if device else None)
