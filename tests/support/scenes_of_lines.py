"""The scenes of bad channels by name, each with the protocols that can have it."""

from collections.abc import Iterator
from itertools import count
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
from tests.support.channel_scenes import PROBE_S, Played, Scene, instrument, line_of, meter, module, play, read_out

SERIAL_AND_TCP: Final = ("modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii", "modbus-tcp")
WITHOUT_IDS: Final = ("modbus-rtu", "modbus-rtu-over-tcp", "modbus-ascii")
SERVERS: Final = ("modbus-rtu-over-tcp", "modbus-tcp")

TWO: Final = (meter(1, (0, 10), (20, 10)),)
UNITS: Final = (meter(1, (0, 10), (20, 10)), meter(2, (0, 10), (20, 10)))
ONE: Final = (meter(1, (0, 10)),)
PIPELINED: Final = (meter(1, (0, 10), (20, 10), (40, 10), pipeline=4),)
PIPELINED_EXACT: Final = (meter(1, (0, 10), (20, 10), (40, 10), pipeline=4, max_gap=0),)
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
    alone = sum(len(device.blocks) for device in devices) == 1  # until a surplus answer is seen, it is asked alike
    return (Scene(devices, faults, share=0.0, too_old=15 if alone else 3, seconds=6.0, window_s=10.0), protocols)


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
    "several reads at once, a gateway gives up, one of twenty": _family(
        PIPELINED, GivesUp(ms=200, share=0.05), protocols=("modbus-tcp",)
    ),
    "several reads at once, a gateway gives up behind the time-out": _family(
        PIPELINED, GivesUp(ms=320, share=0.05), protocols=("modbus-tcp",)
    ),
    "several reads of one size at once, a gateway gives up, one of a hundred": _family(
        PIPELINED_EXACT, GivesUp(ms=200, share=0.01), protocols=("modbus-tcp",)
    ),
    "a gateway gives up, one of three": _family(UNITS, GivesUp(ms=200, share=0.3), protocols=("modbus-tcp",)),
}


TEXT: Final = ("serial-ascii", "tcp-ascii")
TEXT_OVER_TCP: Final = ("tcp-ascii",)
ADAM: Final = ("adam-ascii", "adam-ascii checksum")
READOUT: Final = ("iec62056-21 fixed_baudrate",)

BARE: Final = (instrument(1, 1, 2, 3),)  # nothing tells the answer to one question from that to another
LABELLED: Final = (instrument(1, 1, 2, 3, labelled=True),)
ONE_QUESTION: Final = (instrument(1, 1),)
MODULES: Final = (module(1, 1, 2, 3), module(2, 4, 5))
OUTPUTS: Final = (module(1, 1, table="holding"), module(2, 4, table="holding"))  # their answers name the module
METERS: Final = (read_out(1, 1, 2), read_out(2, 3))
ONE_METER: Final = (read_out(1, 1, 2),)

OTHER_MASTER: Final = (SecondMaster(unit=1, read="M2\r\n", every="300ms"),)
OTHER_MASTER_OF_MODULES: Final = (SecondMaster(unit=1, read="input 0-1", every="300ms"),)
OTHER_CLIENT: Final = (Shared(unit=1, read="M2\r\n", every="300ms"),)
RESETS: Final = (ResetAfterRequest(ms=10, share=0.1),)

NUMBER_FAULTS: Final[dict[str, tuple[tuple[LineFault, ...], float, float]]] = {  # the share that is good, and seconds
    "every answer twice": ((Duplicate(ms=40),), 0.8, 6.0),
    "one of twenty twice": ((Duplicate(ms=40, share=0.05),), 0.8, 6.0),
    "a queue with surplus answers": ((Queue(depth=8, surplus=5),), 0.0, 6.0),
    "held until the next request": ((HoldUntilNext(),), 0.0, 6.0),
    "0.35 s late": ((Delay(ms=350),), 0.0, 6.0),
    "2.5 s late": ((Delay(ms=2500),), 0.0, 10.0),
    "16.6 s late": ((Delay(ms=16_600),), 0.0, 30.0),
    "one of fifty lost": ((Loss(share=0.02),), 0.95, 6.0),
    "noise": ((Noise(every="300ms"),), 0.9, 6.0),
    "octets in packets": ((Packing(ms=5, octets=8),), 0.95, 6.0),
    "two devices": ((SecondDevice(unit=1, ms=115),), 0.0, 6.0),
}


def _numbers(
    devices: tuple[DevicePlan, ...],
    faults: tuple[LineFault, ...],
    share: float = 0.0,
    seconds: float = 6.0,
    *,
    by_order_s: float = 0.5,
    collisions: int = 0,
) -> Scene:
    return Scene(
        devices, faults, share=share, seconds=seconds, window_s=PROBE_S, by_order_s=by_order_s, collisions=collisions
    )


NUMBERS: Final[dict[str, Entry]] = {
    f"{kind}, {name}": (_numbers(devices, faults, share, seconds), protocols)
    for kind, (devices, protocols) in {
        "bare numbers": (BARE, TEXT),
        "labelled numbers": (LABELLED, TEXT),
        "one question": (ONE_QUESTION, TEXT),
        "ADAM inputs": (MODULES, ADAM),
        "ADAM outputs": (OUTPUTS, ADAM),
    }.items()
    for name, (faults, share, seconds) in NUMBER_FAULTS.items()
}
READOUTS: Final[dict[str, Entry]] = {
    f"{kind}, {name}": (
        _numbers(devices, faults, share, 3 * seconds, by_order_s=0.0, collisions=1),
        READOUT,
    )
    for kind, devices in {"two meters": METERS, "one meter": ONE_METER}.items()
    for name, (faults, share, seconds) in NUMBER_FAULTS.items()
}
OTHERS: Final[dict[str, Entry]] = {
    "bare numbers, a second master": (_numbers(BARE, OTHER_MASTER), TEXT),
    "labelled numbers, a second master": (_numbers(LABELLED, OTHER_MASTER), TEXT),
    "ADAM inputs, a second master": (_numbers(MODULES, OTHER_MASTER_OF_MODULES), ADAM),
    "labelled numbers, a shared serial server": (_numbers(LABELLED, OTHER_CLIENT), TEXT_OVER_TCP),
    "bare numbers, a reset behind the request": (_numbers(BARE, RESETS), TEXT_OVER_TCP),
    "labelled numbers, a reset behind the request": (_numbers(LABELLED, RESETS), TEXT_OVER_TCP),
    "labelled numbers, connections fall mute": (_numbers(LABELLED, (MuteConnection(after="2s"),)), TEXT_OVER_TCP),
}
WITHOUT_REGISTERS: Final = {**NUMBERS, **READOUTS, **OTHERS}


PROMISED: Final[dict[str, Entry]] = {
    **SCENES,
    **NUMBERS,
    **READOUTS,
    **{f"loss, {name}": (scene, SERIAL_AND_TCP) for name, scene in LOSSES.items()},
}
EVERY_SCENE: Final[dict[str, Entry]] = {**PROMISED, **OTHERS, **FAMILIES}
SOUND_LINES: Final[dict[str, tuple[DevicePlan, ...]]] = {
    **dict.fromkeys(SERIAL_AND_TCP, TWO),
    **dict.fromkeys(TEXT, BARE),
    **dict.fromkeys(ADAM, MODULES),
    **dict.fromkeys(READOUT, METERS),
}
UNSOUND: Final = ("late", "doubled", "foreign", "timeouts", "garbled", "babble")
SOUND_CONDITION: Final = "no-identity"  # it is one of the plan


def unsound(protocol: str, exchanges: int, *, seed: int = 1) -> list[str]:
    """All that is not as it should be in so many exchanges of a sound line."""
    line = line_of(protocol, SOUND_LINES[protocol], seed)
    found: list[str] = []
    while line.line.counters.requests < exchanges and not found:
        line.run(10)
        found += [reading.reading.reason for one in line.published for reading in one.read if reading.reading.reason]
        found += line.wrong()
        found += [one.name for one in line.line.state().conditions if one.name != SOUND_CONDITION]
        line.published.clear()
    counters = line.line.counters.as_dict("")
    found += [f"{counters[f'.{name}']} {name}" for name in UNSOUND if counters[f".{name}"]]
    return found if counters[".reconnects"] == 1 else [*found, "connected anew"]


def plays(exchanges: int, first_seed: int, part: int, parts: int) -> Iterator[tuple[str, str, int, Played]]:
    """Scenes with their protocol and seed, in turn, until they have so many exchanges: one of `parts` of all of them."""
    entries = [(name, scene, protocol) for name, (scene, protocols) in PROMISED.items() for protocol in protocols]
    for place in count(part, parts):
        name, scene, protocol = entries[place % len(entries)]
        seed = first_seed + place // len(entries)
        played = play(scene, protocol, seed)
        yield name, protocol, seed, played
        exchanges -= played.line.line.counters.requests
        if exchanges <= 0:
            return
