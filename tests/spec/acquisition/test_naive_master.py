"""A master that takes the next frame that fits: the faults of a line make it believe what is false, as plants have seen.

It shows that the channel is worth being tried against: each kind that can deceive does, and the others never.
"""

from dataclasses import dataclass, field
from random import Random

import pytest

from acquisition.drivers.base import ExceptionResponse, Foreign, Read, Registers
from acquisition.drivers.device_side import Fault, RegisterRange
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.channel import Channel
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults.line_faults import (
    Delay,
    Duplicate,
    GivesUp,
    HoldUntilNext,
    LineFault,
    Loss,
    MuteConnection,
    Noise,
    Packing,
    Queue,
    ResetAfterRequest,
    SecondDevice,
    SecondMaster,
    Shared,
)
from acquisition.simulate.return_path import End
from tests.support.field import device, point, register

READS = 500
TIMEOUT_S = 0.5
GIVEN_UP_AFTER = 5  # requests without an answer: then it connects anew
SHOWN = (100, 200)  # by registers 0 and 1, which are asked for in turn


def meter() -> SimulatedDevice:
    points = [point(number, f"m.p{number}", register("holding", number)) for number in range(len(SHOWN))]
    found = SimulatedDevice(device("m", 1, points, []))
    found.tick(0)
    for number, value in enumerate(SHOWN):
        found.set(f"p{number}", value)
    return found


@dataclass(slots=True)
class NaiveMaster:
    """Asks back to back, or after a pause; counts good values, and those that are another register's."""

    protocol: str
    faults: tuple[LineFault, ...] = ()
    pause_s: float = 0.0
    close_after: bool = False
    device_fault: Fault | None = None
    good: int = 0
    wrong: int = 0
    channel: Channel = field(init=False)

    def run(self, seed: int) -> "NaiveMaster":
        spec, meters = by_protocol()[self.protocol], {1: meter()}
        meters[1].fault = self.device_fault
        self.channel = Channel(spec, {"baudrate": 9600} if spec.serial else {}, meters, Random(seed))
        failures = 0
        driver, connection, buffer, now = spec.make(), self.channel.opened(0.0), bytearray(), 0.0
        for fault in self.faults:
            self.channel.begin(fault, 0.0)
        for number in range(READS):
            self.channel.advance(now)
            buffer.clear()
            ask, tag = Read(1, "holding", number % 2, 1), number
            self.channel.receive(connection, driver.request(ask, tag), now)
            until, found, ended = now + TIMEOUT_S, None, False
            while found is None and not ended and now < until:
                now = min(self.channel.deadline() or until, until)
                for _, at, octets in self.channel.advance(now):
                    ended |= at == connection and isinstance(octets, End)
                    buffer += octets if isinstance(octets, bytes) and at == connection else b""
                while (step := driver.take(ask, tag, buffer)) is not None and found is None:
                    found = None if isinstance(step, Foreign) else step
            if isinstance(found, Registers):
                self.good += 1
                self.wrong += found.values != (SHOWN[number % 2],)
            failures = 0 if isinstance(found, Registers | ExceptionResponse) else failures + 1
            if self.close_after or ended or failures >= GIVEN_UP_AFTER:
                self.channel.closed(connection, now)
                connection = self.channel.opened(now)
            now += self.pause_s
        return self


RTU, CONVERTER, TCP = "modbus-rtu", "modbus-rtu-over-tcp", "modbus-tcp"
ANOTHER = {"unit": 1, "read": "holding 1", "every": "200ms"}
ONE_BLOCK_REFUSED = Fault("exception", code=4, registers=RegisterRange("holding", 0, 0))


@pytest.mark.parametrize(
    ("master", "least_wrong"),
    [
        (NaiveMaster(RTU, (Queue(),)), 490),
        (NaiveMaster(CONVERTER, (Duplicate(ms=40, share=0.05),)), 50),
        (NaiveMaster(CONVERTER, (HoldUntilNext(),), pause_s=0.1), 200),
        (NaiveMaster(CONVERTER, (Delay(ms=700),)), 30),
        (NaiveMaster(TCP, (GivesUp(ms=200, share=0.05),)), 5),
        (NaiveMaster(RTU, (SecondMaster.model_validate(ANOTHER),)), 25),
        (NaiveMaster(CONVERTER, (Shared.model_validate(ANOTHER),)), 5),
        (NaiveMaster(CONVERTER, (ResetAfterRequest(ms=10, share=0.05),)), 10),
        (NaiveMaster(RTU, (SecondDevice(unit=1, ms=115),)), 100),
        (NaiveMaster(CONVERTER, (ResetAfterRequest(ms=2, share=0.1),), close_after=True), 100),
        (NaiveMaster(RTU, (Queue(surplus=0), Duplicate(ms=5, share=0.02)), device_fault=ONE_BLOCK_REFUSED), 20),
    ],
    ids=["L1", "L2", "L3", "L4", "L5", "L6", "L7", "L9", "L10", "L12", "L13"],
)
def test_a_naive_master_believes_what_is_false(master: NaiveMaster, least_wrong: int) -> None:
    assert sum(_fresh(master).run(seed).wrong for seed in range(4)) >= 4 * least_wrong


@pytest.mark.parametrize(
    ("master", "least_good"),
    [
        (NaiveMaster(RTU), 500),
        (NaiveMaster(CONVERTER), 500),
        (NaiveMaster(TCP), 500),
        (NaiveMaster(RTU, (Loss(share=0.1),)), 400),
        (NaiveMaster(TCP, (MuteConnection(after="1s"),)), 400),
        (NaiveMaster(CONVERTER, (Packing(),)), 500),
        (NaiveMaster(RTU, (Noise(every="3ms"),)), 450),
        (NaiveMaster(TCP, (Duplicate(ms=40, share=0.05),)), 500),
        (NaiveMaster(TCP, (Delay(ms=16_600),)), 0),
    ],
    ids=["rtu", "converter", "tcp", "loss", "mute", "packing", "noise", "tcp twins", "tcp delay"],
)
def test_other_channels_cost_values_at_most(master: NaiveMaster, least_good: int) -> None:
    for seed in range(4):
        run = _fresh(master).run(seed)
        assert run.wrong == 0
        assert run.good >= least_good


def _fresh(master: NaiveMaster) -> NaiveMaster:
    return NaiveMaster(master.protocol, master.faults, master.pause_s, master.close_after, master.device_fault)
