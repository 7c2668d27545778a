"""Advice for a line, in numbers: each piece is the line planned anew with one setting changed (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import msgspec

from mapping.block_planning import planner
from mapping.plan import DevicePlan, LinePlan, PollSettings
from mapping.protocols import REGISTERS_LIMIT, Framing

FULL: Final = 0.8  # a line that is busier has no room for commands and second tries
WORTH: Final = 0.05  # of the line's time: less is not worth a word
BAUDRATES: Final = (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)
LATENCY_S: Final = 0.016  # of an FTDI adapter, as it comes


def advice(line: LinePlan, framing: Framing, *, commanded: bool = False) -> list[str]:
    """The sentences for one line of that framing, those that help most first. `commanded`: it carries commands."""
    weighed = _Weighed(line, framing, planner.line_cost(line, framing), commanded)
    return [
        *weighed.stale(),
        *weighed.baudrate(),
        *weighed.periods(),
        *weighed.gaps(),
        *weighed.pauses(),
        *weighed.latency(),
    ]


def _with(device: DevicePlan, polling: PollSettings) -> DevicePlan:
    return msgspec.structs.replace(device, polling=polling)


@dataclass(frozen=True, slots=True)
class _Weighed:
    """A line, and what it costs as it is."""

    line: LinePlan
    framing: Framing
    cost: planner.LineCost
    commanded: bool

    def _load_of(self, line: LinePlan) -> float:
        return planner.line_cost(line, self.framing).load

    def _load(self, line: LinePlan) -> str:
        return f"load {self.cost.load:.1%} -> {self._load_of(line):.1%}"

    def _replanned(self, line: LinePlan, device: DevicePlan) -> DevicePlan:
        """`device` with the requests that its limits and the settings of `line` make best."""
        physics = planner.physics(self.framing, line.settings)
        longest = physics.commanded_limit() if self.commanded else REGISTERS_LIMIT
        return planner.planned(device, physics, longest)

    @property
    def _full(self) -> bool:
        return self.cost.load > FULL

    def stale(self) -> Iterator[str]:
        """Devices whose values grow too old before the next ones come."""
        for device in self.line.devices:
            limits = {point.number: point.stale_after_ms for point in device.points}
            for block in device.blocks:
                comes = block.every_ms * self.cost.stretch
                good = min((limits[number] for number in block.points), default=0)
                if comes > good:
                    yield f"{device.name}: values come every {comes:.0f} ms and are good for {good} ms: `stale_after`"
                    break

    def baudrate(self) -> Iterator[str]:
        """The least baud rate at which the line has room, or the highest."""
        now = self.line.settings.get("baudrate")
        faster = [rate for rate in BAUDRATES if isinstance(now, int) and rate > now] if self._full else []
        for rate in faster:
            tried = msgspec.structs.replace(self.line, settings={**self.line.settings, "baudrate": rate})
            devices = tuple(self._replanned(tried, one) for one in tried.devices)
            tried = msgspec.structs.replace(tried, devices=devices)
            load = self._load_of(tried)
            if load <= FULL or rate == faster[-1]:
                if self.cost.load - load > WORTH:
                    yield f"baudrate {rate}: {self._load(tried)}"
                return

    def periods(self) -> Iterator[str]:
        """The factor for longer periods, where the line has no room."""
        if self._full:
            yield f"periods {self.cost.load / FULL:.1f} times as long: load {self.cost.load:.1%} -> {FULL:.1%}"

    def gaps(self) -> Iterator[str]:
        """Devices whose `max_gap` costs more requests than the registers between would."""
        for device in self.line.devices:
            if device.polling.max_gap is None or device.polling.exact:
                continue
            best = self._with_gap(device, None)
            if len(best.blocks) >= len(device.blocks):
                continue
            for gap in range(device.polling.max_gap + 1, REGISTERS_LIMIT):
                tried = self._with_gap(device, gap)
                if len(tried.blocks) == len(best.blocks):
                    fewer = len(device.blocks) - len(tried.blocks)
                    others = (tried if one is device else one for one in self.line.devices)
                    loads = self._load(msgspec.structs.replace(self.line, devices=tuple(others)))
                    requests = "1 request" if fewer == 1 else f"{fewer} requests"
                    yield f"{device.name}: max_gap {gap} would save {requests}, {loads}, if it answers what lies between"
                    break

    def _with_gap(self, device: DevicePlan, gap: int | None) -> DevicePlan:
        return self._replanned(self.line, _with(device, msgspec.structs.replace(device.polling, max_gap=gap)))

    def pauses(self) -> Iterator[str]:
        """Devices whose `pause` takes much of a line that has no room."""
        for device in self.line.devices if self._full else ():
            quick = _with(device, msgspec.structs.replace(device.polling, pause_ms=0))
            others = (quick if one is device else one for one in self.line.devices)
            tried = msgspec.structs.replace(self.line, devices=tuple(others))
            if self.cost.load - self._load_of(tried) > WORTH:
                yield f"{device.name}: without its pause of {device.polling.pause_ms} ms {self._load(tried)}"

    def latency(self) -> Iterator[str]:
        """The cost of an FTDI adapter with the latency timer that it comes with."""
        port = PurePath(str(self.line.settings.get("port", ""))).name
        slower = self.cost.requests_per_s * LATENCY_S
        if port.startswith("ttyUSB") and slower > WORTH:
            loads = f"load {self.cost.load:.1%} -> {self.cost.load + slower:.1%}"
            timer = f"/sys/bus/usb-serial/devices/{port}/latency_timer"
            yield f"an FTDI adapter whose latency timer is 16 ms makes {loads}: write 1 into {timer}"
