"""The way between a master and the devices of one line, with its pacing and its faults (pure).

    octets ──► receive ──► requests ──► [lost] [queue] ──► device ──► answer ──► [twin] [delay] [hold] ──► advance
               of a connection, now                                                          octets, or its end

There is no clock: every call gets the time, which never goes back, and `deadline` says when `advance` has something to
give. Two channels with equal seeds that get the same calls give the same octets at the same times, however often
`advance` is called. A serial port is one connection; the sender of datagrams is one too.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from acquisition.drivers.base import DriverSpec
from acquisition.drivers.device_side import AnsweringDevice, Turn
from acquisition.simulate.faults.line_faults import (
    ActiveFaults,
    Duplicate,
    LineFault,
    MuteConnection,
    Noise,
    Queue,
    SecondDevice,
    SecondMaster,
    Shared,
    foreign_ask,
    misfit,
)
from acquisition.simulate.faults.second_device import SecondDevice as OtherDevice
from acquisition.simulate.faults.serial_gateway import Draw, GatewayRequest, SerialGateway
from acquisition.simulate.return_path import Arrival, Connection, End, EventQueue, ReturnPath
from mapping.block_planning import planner
from mapping.protocols import LineSettings

TURNAROUND_S: Final = planner.TURNAROUND_S
UNREAD_LIMIT: Final = 4096  # octets in which no request was found
UNDER_WAY_LIMIT: Final = 4096  # requests and answers; what comes beyond is dropped


class ChannelDevice(AnsweringDevice, Protocol):
    """A device at the end of a channel."""

    def advance(self, now_s: float) -> None:
        """Let time pass: what is on its way in it arrives."""


@dataclass(slots=True)
class _Request:
    """One request under way. `not_before`: its answer comes no sooner; `lost`: never."""

    channel: "Channel"
    connection: int
    turn: Turn
    octets: bytes
    not_before: float = 0.0
    lost: bool = False

    def latency_s(self) -> float:
        """The time that its device takes."""
        return TURNAROUND_S if self.turn.late_s is None else self.turn.late_s

    def answer(self, now: float) -> bytes:
        """The answer of its device as it is now."""
        self.channel.advance_devices(now)
        return self.turn.answer()


class Channel:
    """One line. `draw` decides what a fault hits."""

    def __init__(
        self, spec: DriverSpec, settings: LineSettings, devices: Mapping[int, ChannelDevice], draw: Draw
    ) -> None:
        self._spec = spec
        self._settings = settings
        self._devices = devices
        self._draw = draw
        self._costs = planner.physics(spec.protocol.framing, settings)
        self._events = EventQueue()
        self._later = self._events.later
        self._back = ReturnPath(self._events, keeps_answers=not spec.tagged)
        self._faults = self._back.faults
        self._active = False  # any fault
        self._last_connection = 0
        self._served: _Request | None = None  # of a queue, the one that is being answered
        self._waiting: deque[_Request] = deque()
        self._surplus = 0  # answers that a queue has still to give twice
        self._duplicates = 0  # since that fault began
        self._gateway = SerialGateway(draw, self._later, self._gateway_answers)
        self._other = spec.devices({}, settings)  # the second device of an address

    # ------------------------------------------------------------------ the master's end

    def opened(self, now: float) -> int:
        """The number of a new connection."""
        self._events.run(now)
        self._last_connection += 1
        one = Connection(self._last_connection, self._spec.devices(self._devices, self._settings))
        self._back.connections[one.number] = one
        if self._faults.mute_connection is not None:
            one.mute_at = now + self._faults.mute_connection.after_s
        for octets in self._back.unclaimed():  # before the first request of the connection, or when it is under way
            self._later(now + TURNAROUND_S * self._draw.random(), partial(self._back.deliver, one.number, octets))
        return one.number

    def closed(self, connection: int, now: float) -> None:
        """The master has ended `connection`; a request of it may still be on the line."""
        self._events.run(now)
        self._back.connections.pop(connection, None)

    def receive(self, connection: int, octets: bytes, now: float) -> None:
        """Take `octets` of the master. Those of a connection that has ended go nowhere."""
        self._events.run(now)
        one = self._back.connections.get(connection)
        if one is None or now >= one.mute_at:
            return
        one.buffer += octets
        for turn, asked in self._turns(one):
            self._take(_Request(self, connection, turn, asked), now)

    def deadline(self) -> float | None:
        """Time at which `advance` has something to do; None if nothing is under way."""
        arrived_at = self._back.next_time()
        return self._events.next_time() if arrived_at is None else arrived_at

    def advance(self, now: float) -> list[Arrival]:
        """All that has reached the master until `now`, in order."""
        self._events.run(now)
        return self._back.arrived()

    # ------------------------------------------------------------------ faults

    def begin(self, fault: LineFault, now: float) -> None:
        """Have `fault`, instead of another one of its kind. Raises ValueError if such a line cannot."""
        self._events.run(now)
        wrong = misfit(fault, self._spec, self._devices)
        if wrong is not None:
            raise ValueError(f"the line cannot have {fault.kind}: {wrong.reason}")
        setattr(self._faults, fault.kind, fault)
        self._active = True
        match fault:
            case Duplicate():
                self._duplicates = 0
            case Queue():
                self._surplus = fault.surplus
            case SecondMaster() | Shared():
                self._later(now + self._draw.random() * fault.every_s, partial(self._foreign, fault))
            case Noise():
                self._later(now + self._draw.random() * fault.every_s, partial(self._make_noise, fault))
            case SecondDevice():
                other = OtherDevice(self._devices[fault.unit])
                self._other = self._spec.devices({fault.unit: other}, self._settings)
            case MuteConnection():
                for one in self._back.connections.values():
                    one.mute_at = min(one.mute_at, now + fault.after_s)

    def end(self, now: float, fault: LineFault | None = None) -> None:
        """Have `fault` no more if it is still there; without one, none at all.

        Requests and answers under way come; a connection that is mute stays so.
        """
        self._events.run(now)
        if fault is None:
            self._faults = self._back.faults = ActiveFaults()
        elif getattr(self._faults, fault.kind) is fault:
            setattr(self._faults, fault.kind, None)
        self._active = self._faults != ActiveFaults()
        self._back.faults_changed(now)
        if self._faults.mute_connection is None:
            for connection in self._back.connections.values():
                if connection.mute_at > now:
                    connection.mute_at = float("inf")

    def clear(self, now: float) -> None:
        """Be as new: no fault, nothing under way. A connection that is mute ends, the others go on."""
        self._events.run(now)
        self._faults = self._back.faults = ActiveFaults()
        self._active = False
        self._events.clear()
        self._served = None
        self._waiting.clear()
        self._back.clear()
        self._gateway = SerialGateway(self._draw, self._later, self._gateway_answers)
        for one in list(self._back.connections.values()):
            if now >= one.mute_at:
                self._back.end_connection(one.number, End.RESET, now)
            one.mute_at = float("inf")

    # ------------------------------------------------------------------ requests

    def _turns(self, one: Connection) -> Iterator[tuple[Turn, bytes]]:
        """Requests in the buffer of a connection, each with the octets that were taken for it. A datagram has one."""
        before = bytes(one.buffer)
        while (turn := one.answering.take(one.buffer)) is not None:
            yield turn, before[: len(before) - len(one.buffer)]
            if self._spec.transport == "udp":
                break
            before = bytes(one.buffer)
        if self._spec.transport == "udp":
            one.buffer.clear()
        del one.buffer[:-UNREAD_LIMIT]

    def _take(self, request: _Request, now: float) -> None:
        if len(self._events) >= UNDER_WAY_LIMIT:
            return
        if not self._active:
            self._serve(request, now)
            return
        self._back.release(now)
        if self._is_lost(request):
            return
        self._may_end_connection(request, now)
        if self._faults.second_device is not None:
            self._ask_other(request, self._faults.second_device, now)
        if self._faults.gives_up is not None:
            self._gateway.take(request, self._faults.gives_up, now)
        elif self._faults.queue is None:
            self._serve(request, now)
        elif self._served is None:
            self._served = request
            self._serve(request, now)
        elif len(self._waiting) < self._faults.queue.depth:
            self._waiting.append(request)

    def _is_lost(self, request: _Request) -> bool:
        """True if the request is lost; its answer may be lost instead."""
        if self._faults.loss is None or self._draw.random() >= self._faults.loss.share:
            return False
        request.lost = self._draw.random() < 0.5
        return not request.lost

    def _may_end_connection(self, request: _Request, now: float) -> None:
        fault = self._faults.reset_after_request
        if fault is not None and self._draw.random() < fault.share:
            ends_at = now + fault.ms / 1000
            request.not_before = ends_at + TURNAROUND_S
            end = End.RESET if self._draw.random() < 0.5 else End.CLOSED
            self._later(ends_at, partial(self._back.end_connection, request.connection, end))

    # ------------------------------------------------------------------ devices

    def advance_devices(self, now: float) -> None:
        """Let what is on its way in the devices arrive, before one of them is asked."""
        for device in self._devices.values():
            device.advance(now)

    def _serve(self, request: _Request, now: float) -> None:
        """Give `request` to its device: on a serial line it reads its registers now, elsewhere when it answers."""
        if self._spec.serial:
            octets = request.answer(now)
            ready_at = now + self._line_s(request.turn, octets)
            self._later(max(ready_at, request.not_before), partial(self._answered, request, octets))
        else:
            ready_at = now + request.latency_s()
            self._later(max(ready_at, request.not_before), partial(self._asked, request))

    def _line_s(self, turn: Turn, octets: bytes) -> float:
        """The time from the first character of a request to the last one of its answer, on a serial line."""
        costs, answer = self._costs, self._costs
        if turn.baudrate is not None:
            answer = planner.physics(costs.framing, {**self._settings, "baudrate": turn.baudrate})
        characters_s = turn.asked * costs.character_s + len(octets) * answer.character_s
        return characters_s + costs.silence_s + TURNAROUND_S + (turn.late_s or 0.0)

    def _asked(self, request: _Request, now: float) -> None:
        self._answered(request, request.answer(now), now)

    def _answered(self, request: _Request, octets: bytes, now: float) -> None:
        if request is self._served:
            self._served = self._waiting.popleft() if self._waiting else None
            if self._served is not None:
                self._serve(self._served, now)
        if not octets or request.lost:
            return
        self._back.pass_on(request.connection, octets, now)
        if self._active:
            self._may_double(request.connection, octets, now)

    def _may_double(self, connection: int, octets: bytes, now: float) -> None:
        again = partial(self._back.pass_on, connection, octets)
        if self._faults.queue is not None and self._surplus:
            self._surplus -= 1
            self._later(now + len(octets) * self._costs.character_s + TURNAROUND_S, again)
        fault = self._faults.duplicate
        if fault is None or (fault.times is not None and self._duplicates >= fault.times):
            return
        if self._draw.random() < fault.share:
            self._duplicates += 1
            self._later(now + fault.ms / 1000, again)

    def _gateway_answers(self, request: GatewayRequest, octets: bytes, now: float) -> None:
        if isinstance(request, _Request) and not request.lost:
            self._back.pass_on(request.connection, octets, now)

    def _ask_other(self, request: _Request, fault: SecondDevice, now: float) -> None:
        """Let the second device of an address hear `request`."""
        turn = self._other.take(bytearray(request.octets))
        self.advance_devices(now)
        if turn is None or not (octets := turn.answer()):
            return
        first_s = self._line_s(turn, octets) if self._spec.serial else TURNAROUND_S
        self._later(now + first_s + fault.ms / 1000, partial(self._back.pass_on, request.connection, octets))

    # ------------------------------------------------------------------ other masters

    def _foreign(self, fault: SecondMaster | Shared, now: float) -> None:
        """Let another master ask, and again after its period, give or take a tenth, while the fault is this one."""
        if getattr(self._faults, fault.kind) is not fault:
            return
        octets = self._spec.make(self._settings).request(foreign_ask(fault, self._spec), 0)
        asked_s = len(octets) * self._costs.character_s
        if isinstance(fault, SecondMaster):
            self._later(now + asked_s, partial(self._back.deliver_all, octets))
        turn = self._spec.devices(self._devices, self._settings).take(bytearray(octets))
        if turn is not None:
            self.advance_devices(now)
            answer = turn.answer()
            answer_s = self._line_s(turn, answer) if self._spec.serial else TURNAROUND_S
            self._later(now + answer_s, partial(self._back.deliver_all, answer))
        period_s = fault.every_s * (0.9 + 0.2 * self._draw.random())
        self._later(now + period_s, partial(self._foreign, fault))

    def _make_noise(self, fault: Noise, now: float) -> None:
        if self._faults.noise is fault:
            self._back.deliver_all(bytes((int(256 * self._draw.random()),)), now)
            self._later(now + fault.every_s * (0.9 + 0.2 * self._draw.random()), partial(self._make_noise, fault))
