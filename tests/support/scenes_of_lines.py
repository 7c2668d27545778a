"""The scenes of bad channels by name, each with the protocols that can have it."""

from typing import Final

from acquisition.drivers.device_side import Fault, RegisterRange
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
from mapping.plan import DevicePlan
from tests.support.channel_scenes import Scene, line_of, meter

SERIAL_AND_TCP: Final = ("modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii", "modbus-tcp")
WITHOUT_IDS: Final = ("modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii")
SERVERS: Final = ("modbus-rtu-over-tcp", "modbus-tcp")

TWO: Final = (meter(1, (0, 10), (20, 10)),)
UNITS: Final = (meter(1, (0, 10), (20, 10)), meter(2, (0, 10), (20, 10)))
ONE: Final = (meter(1, (0, 10)),)
COILS: Final = (meter(1, (0, 8), (16, 16), (64, 24), table="coil"),)
COILS_ALONE: Final = (meter(1, (0, 8), table="coil"),)
EXACT: Final = (meter(1, (0, 4), *((10 * at, 2) for at in range(1, 9)), max_gap=0),)
CLOSING: Final = (meter(1, (0, 10), (20, 10), close_after=True),)

FOREIGN: Final = "holding 100-109"
REFUSED: Final = Fault("exception", code=4, registers=RegisterRange("holding", 20, 29))
REFUSED_POINTS: Final = frozenset(10_000 + at for at in range(20, 30))

Entry = tuple[Scene, tuple[str, ...]]

SCENES: Final[dict[str, Entry]] = {
    "L1 a queue, one answer twice": (Scene(TWO, (Queue(depth=8, surplus=1),)), SERIAL_AND_TCP),
    "L1 a queue, two units": (Scene(UNITS, (Queue(depth=8, surplus=1),)), SERIAL_AND_TCP),
    "L2 every answer twice": (Scene(TWO, (Duplicate(ms=40),)), SERIAL_AND_TCP),
    "L2 one answer of twenty twice": (Scene(TWO, (Duplicate(ms=40, share=0.05),)), SERIAL_AND_TCP),
    "L3 held until the next request": (Scene(TWO, (HoldUntilNext(),), share=0.0), SERIAL_AND_TCP),
    "L4 16.6 s late": (Scene(TWO, (Delay(ms=16_600),), share=0.0, seconds=30.0, window_s=34.0), SERIAL_AND_TCP),
    "L5 a gateway gives up, one of twenty": (Scene(UNITS, (GivesUp(ms=200, share=0.05),)), ("modbus-tcp",)),
    "L5 a gateway gives up, one of a hundred": (Scene(UNITS, (GivesUp(ms=200, share=0.01),)), ("modbus-tcp",)),
    "L6 a second master": (
        Scene(TWO, (SecondMaster(unit=1, read=FOREIGN, every="300ms"),), share=0.5, collisions=1),
        WITHOUT_IDS,
    ),
    "L7 a shared serial server": (
        Scene(TWO, (Shared(unit=1, read=FOREIGN, every="300ms"),), share=0.5, collisions=1),
        ("modbus-rtu-over-tcp",),
    ),
    "L9 a reset behind the request": (Scene(TWO, (ResetAfterRequest(ms=10, share=0.02),)), SERVERS),
    "L10 two devices of one address": (
        Scene(TWO, (SecondDevice(unit=1, ms=115),), share=0.0, collisions=1),
        WITHOUT_IDS,
    ),
    "L11 restarts while a queue holds answers": (
        Scene(TWO, (Queue(depth=8, surplus=6),), share=0.8, restarts=True),
        SERIAL_AND_TCP,
    ),
    "L12 a connection for each exchange, resets": (Scene(CLOSING, (ResetAfterRequest(ms=10, share=0.1),)), SERVERS),
    "L13 exceptions twice in a queue": (
        Scene(TWO, (Queue(depth=8, surplus=4), Duplicate(ms=40)), device_fault=REFUSED, never_good=REFUSED_POINTS),
        SERIAL_AND_TCP,
    ),
    "L16 coils twice": (Scene(COILS, (Duplicate(ms=40),), seconds=4.0), SERIAL_AND_TCP),
    "blocks of one size, nothing unplanned, one of twenty twice": (
        Scene(EXACT, (Duplicate(ms=40, share=0.05),), share=0.0, by_order_s=0.5),
        SERIAL_AND_TCP,
    ),
    "connections fall mute": (Scene(TWO, (MuteConnection(after="2s"),), share=0.0), SERVERS),
    "octets in packets": (Scene(TWO, (Packing(ms=5, octets=8),)), SERIAL_AND_TCP),
    "noise": (Scene(TWO, (Noise(every="300ms"),), share=0.5), WITHOUT_IDS),
    "twins in packets behind a queue": (
        Scene(TWO, (Packing(ms=5, octets=8), Duplicate(ms=40, share=0.1), Queue(depth=8, surplus=2)), share=0.0),
        SERIAL_AND_TCP,
    ),
}

LOSSES: Final = {
    "two blocks": Scene(TWO, (Loss(share=0.02),), share=0.95, seconds=20.0),
    "one block": Scene(ONE, (Loss(share=0.02),), share=0.95, seconds=20.0),
    "eight coils": Scene(COILS_ALONE, (Loss(share=0.02),), share=0.95, seconds=20.0),
}


THREE: Final = (meter(1, (0, 6), (20, 6), (40, 6)),)
SINGLES: Final = (meter(1, (0, 2), (20, 2), (40, 2), (60, 2)),)


def _family(devices: tuple[DevicePlan, ...], *faults: LineFault, protocols: tuple[str, ...] = SERIAL_AND_TCP) -> Entry:
    return (Scene(devices, faults, share=0.0, seconds=6.0, window_s=10.0), protocols)


FAMILIES: Final[dict[str, Entry]] = {
    "every answer twice, 10 ms": _family(TWO, Duplicate(ms=10)),
    "every answer twice, 100 ms": _family(TWO, Duplicate(ms=100)),
    "one of ten twice, 250 ms": _family(TWO, Duplicate(ms=250, share=0.1)),
    "one of twenty twice, 1 s": _family(TWO, Duplicate(ms=1000, share=0.05)),
    "one of fifty twice, 5 s": _family(TWO, Duplicate(ms=5000, share=0.02)),
    "one block, one of five twice, 100 ms": _family(ONE, Duplicate(ms=100, share=0.2)),
    "one block behind a queue": _family(ONE, Queue(depth=8, surplus=5)),
    "three blocks of one size behind a queue": _family(THREE, Queue(depth=8, surplus=5)),
    "three blocks of one size, one of five twice, 100 ms": _family(THREE, Duplicate(ms=100, share=0.2)),
    "four values, one of five twice, 100 ms": _family(SINGLES, Duplicate(ms=100, share=0.2)),
    "four values behind a queue": _family(SINGLES, Queue(depth=8, surplus=3)),
    "0.35 s late": _family(TWO, Delay(ms=350)),
    "0.7 s late": _family(THREE, Delay(ms=700)),
    "2.5 s late": _family(TWO, Delay(ms=2500)),
    "5 s late": _family(TWO, Delay(ms=5000)),
    "two units, 0.35 s late": _family(UNITS, Delay(ms=350)),
    "held, and one of twenty lost": _family(TWO, HoldUntilNext(), Loss(share=0.05)),
    "one of three lost, one of three twice": _family(TWO, Loss(share=0.3), Duplicate(ms=40, share=0.3)),
    "one of ten lost in a queue": _family(UNITS, Loss(share=0.1), Queue(depth=8, surplus=4)),
    "one of three resets": _family(TWO, ResetAfterRequest(ms=1, share=0.3), protocols=SERVERS),
    "a gateway gives up, one of three": _family(UNITS, GivesUp(ms=200, share=0.3), protocols=("modbus-tcp",)),
}


UNSOUND: Final = ("late", "doubled", "foreign", "timeouts", "garbled", "babble")


def unsound(protocol: str, exchanges: int, *, seed: int = 1) -> list[str]:
    """All that is not as it should be in so many exchanges of a sound line."""
    line = line_of(protocol, TWO, seed)
    found: list[str] = []
    while line.line.counters.requests < exchanges and not found:
        line.run(10)
        found += [reading.reading.reason for one in line.published for reading in one.read if reading.reading.reason]
        found += line.wrong()
        line.published.clear()
    counters = line.line.counters.as_dict("")
    found += [f"{counters[f'.{name}']} {name}" for name in UNSOUND if counters[f".{name}"]]
    return found if counters[".reconnects"] == 1 else [*found, "connected anew"]
