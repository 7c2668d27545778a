"""Scenes: a site, the channel in front of its devices, and how long the channel is at fault.

L1 to L16 are the channels of docs/torture.md; a letter behind the number is one of the same family. A line is full where its
blocks are due sooner than it can ask for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.torture import values
from bench.torture.channels import (
    Delays,
    EndsConnections,
    ExceptionTwice,
    HoldsUntilNext,
    OneTwin,
    SecondDevice,
    SecondMaster,
    SlowDevice,
    Twins,
)
from bench.torture.lines import Channel

RTU, RTU_OVER_TCP, TCP, TEXT, ADAM, READOUT = (
    "modbus-rtu",
    "modbus-rtu-over-tcp",
    "modbus-tcp",
    "tcp-ascii",
    "adam-ascii",
    "iec62056-21",
)
SERIAL: Final = (RTU, ADAM, READOUT)
BITS: Final = ("coil", "discrete")


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring values of one unit, read by one request: `count` floats, coils or channels from `address` on."""

    unit: int
    table: str
    address: int
    count: int

    @property
    def width(self) -> int:
        """Addresses of one value."""
        return 2 if self.table in ("holding", "input") else 1


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Modbus TCP gateway that gives up after `after_ms`, with exception 11 or silently.

    `looks_at_unit`: an answer of another unit than the one that was asked is thrown away; else its octets go under the ids of the
    question.
    """

    after_ms: float
    silent: bool = False
    looks_at_unit: bool = False


@dataclass(frozen=True, slots=True)
class RelayPoint:
    """A coil for commands: with a `read` of it or without; `echoes` if the device confirms what it does not carry out."""

    read: bool
    echoes: bool


@dataclass(frozen=True, slots=True)
class Point:
    """One value: `identity` is its number in thousands, None for a coil; `item` is its data object, in words of MMS."""

    name: str
    block: Block
    address: int
    identity: int | None
    item: str

    @property
    def reference(self) -> str:
        """Its data object in words of ACSI."""
        ln, _, do = self.item.split("$")
        return f"LD0/{ln}.{do}"


@dataclass(frozen=True, slots=True)
class Scene:
    """One row of the table. Times in milliseconds, `fault_s` and `after_s` in seconds.

    `refused` are addresses of blocks that the device itself refuses during the fault: no availability is asked of them.
    """

    name: str
    title: str
    protocol: str
    blocks: tuple[Block, ...]
    channel: Callable[[], Channel]
    turnaround_ms: float = 20
    every_ms: int = 50
    timeout_ms: int = 300
    retries: int = 1
    fault_s: float = 8
    after_s: float = 6
    keys: Mapping[str, object] = field(default_factory=dict)  # of each device, in words of site.yaml
    keeps: bool = False  # the serial device server keeps octets for its next connection
    gateway: Gateway | None = None  # before the line
    kills_worker: bool = False
    refused: tuple[int, ...] = ()
    stale_ms: int = 2000
    relay: RelayPoint | None = None  # coil 0 of unit 1, for commands; the scene is then measured by commands.py

    def for_gateway(self, name: str) -> bool:
        """False where the gateway has no worker to be killed, or no driver."""
        return name == "ours" or not (self.kills_worker or (name == "plain" and self.protocol == READOUT))

    @property
    def exchange_s(self) -> float:
        """The longest exchange, with all its tries."""
        return self.timeout_ms * (self.retries + 1) / 1000

    @property
    def units(self) -> dict[int, int]:
        """The units and what their values say they are."""
        return {block.unit: block.unit for block in self.blocks}

    def points(self) -> list[Point]:
        """Every value of every block."""
        found: list[Point] = []
        for block in self.blocks:
            for address in range(block.address, block.address + block.count * block.width, block.width):
                found.append(self._point(block, address, len(found) + 1))
        return found

    def _point(self, block: Block, address: int, number: int) -> Point:
        bit = block.table in BITS
        identity = None if bit else block.unit * 1_000 + address
        if self.protocol == ADAM:
            identity = address
        item = f"GGIO1$ST$Ind{number}" if bit else f"GGIO1$MX$AnIn{number}"
        return Point(f"{'c' if bit else 'r'}{address}", block, address, identity, item)


def _blocks(number: int, unit: int = 1, table: str = "holding", count: int = 2, step: int = 100) -> tuple[Block, ...]:
    """`number` blocks of equal size, too far apart to be read as one."""
    return tuple(Block(unit, table, at * step, count) for at in range(number))


_UNITS: Final = _blocks(4) + _blocks(4, unit=2)
_MASTER: Final = (1, 300, 4)  # unit, address and registers of another master's question: as large as our blocks

SCENES: Final = {
    one.name: one
    for one in (
        Scene("L0", "a sound line, for comparison", RTU_OVER_TCP, _blocks(3), Channel, fault_s=4, after_s=2),
        Scene("L1", "a queue on a full line; one answer twice", RTU_OVER_TCP, _blocks(3), OneTwin),
        Scene("L1b", "the same on a serial port", RTU, _blocks(3), OneTwin),
        Scene(
            "L1c", "the same, blocks of one size that may not grow", RTU_OVER_TCP, _blocks(3), OneTwin,
            keys={"max_gap": 0, "max_registers": 4},
        ),
        Scene("L2", "every answer again after 40 ms", RTU_OVER_TCP, _blocks(4), lambda: Twins(40)),
        Scene("L2b", "one answer in twenty again after 40 ms", RTU_OVER_TCP, _blocks(4), lambda: Twins(40, 0.05)),
        Scene("L2c", "every answer again after 40 ms, on a serial port", RTU, _blocks(4), lambda: Twins(40)),
        Scene("L3", "an answer is passed on with the next request", RTU_OVER_TCP, _blocks(2), HoldsUntilNext),
        Scene(
            "L3b", "the same, blocks of one size that may not grow", RTU_OVER_TCP, _blocks(2), HoldsUntilNext,
            keys={"max_gap": 0, "max_registers": 4},
        ),
        Scene(
            "L4", "store and forward: 16.6 s of delay for 30 s", RTU_OVER_TCP, _UNITS,
            lambda: Delays(16_600), every_ms=1000, timeout_ms=500, fault_s=30, after_s=22,
        ),
        Scene(
            "L5", "a Modbus TCP gateway gives up early in 5 %, with exception 11", TCP, _UNITS,
            lambda: SlowDevice(130, 0.05), gateway=Gateway(100),
        ),
        Scene(
            "L5b", "the same, with no answer", TCP, _UNITS, lambda: SlowDevice(310, 0.05),
            gateway=Gateway(100, silent=True),
        ),
        Scene(
            "L5c", "as L5, one unit, which the gateway compares", TCP, _blocks(4), lambda: SlowDevice(130, 0.05),
            gateway=Gateway(100, looks_at_unit=True),
        ),
        Scene("L6", "a second master on the serial line", RTU, _blocks(3), lambda: SecondMaster(*_MASTER, 300, heard=True)),
        Scene(
            "L7", "a serial server shows us the answers of another client", RTU_OVER_TCP, _blocks(3),
            lambda: SecondMaster(*_MASTER, 300, heard=False),
        ),
        Scene(
            "L8", "an instrument of bare numbers, 5 % of its answers after five time-outs", TEXT,
            _blocks(3, table="text", count=1), lambda: SlowDevice(1100, 0.05), timeout_ms=200, retries=0,
        ),
        Scene(
            "L8b", "ADAM channels, 5 % of the answers after five time-outs", ADAM,
            tuple(Block(1, "channel", at, 1) for at in range(1, 5)),
            lambda: SlowDevice(1100, 0.05), timeout_ms=200, retries=0,
        ),
        Scene("L8c", "ADAM channels, every answer again after 40 ms", ADAM,
              tuple(Block(1, "channel", at, 1) for at in range(1, 5)), lambda: Twins(40), timeout_ms=200),
        Scene(
            "L8d", "two meters with a readout, 20 % of the readouts after two time-outs", READOUT,
            (Block(1, "readout", 31, 2), Block(2, "readout", 31, 2)),
            lambda: SlowDevice(700, 0.2), every_ms=200, timeout_ms=300, retries=0,
        ),
        Scene(
            "L9", "the connection is reset 10 ms after one request in ten", RTU_OVER_TCP, _blocks(4),
            lambda: EndsConnections(10, 0.1, reset=True), keeps=True,
        ),
        Scene(
            "L9b", "the connection is closed 10 ms after one request in ten", RTU_OVER_TCP, _blocks(4),
            lambda: EndsConnections(10, 0.1, reset=False), keeps=True,
        ),
        Scene(
            "L10", "two devices with one address, the second 115 ms later", RTU_OVER_TCP, _blocks(3),
            lambda: SecondDevice(1, 1 + values.TWIN, 115),
        ),
        Scene(
            "L11", "the worker is killed while a queue holds answers", RTU_OVER_TCP, _blocks(3), Channel,
            turnaround_ms=60, keeps=True, kills_worker=True, after_s=8,
        ),
        Scene(
            "L12", "a connection for each exchange, every tenth is reset", RTU_OVER_TCP, _blocks(3),
            lambda: EndsConnections(10, 0.1, reset=True), keeps=True, keys={"close_after": True},
        ),
        Scene(
            "L13", "a queue; the exception of one block comes twice", RTU_OVER_TCP, _blocks(4),
            lambda: ExceptionTwice(100), refused=(100,),
        ),
        Scene(
            "L14", "commands: on, off, on; the first confirmation twice, the third command lost", RTU_OVER_TCP, _blocks(1),
            lambda: Twins(50), turnaround_ms=10, every_ms=500, relay=RelayPoint(read=False, echoes=False),
        ),
        Scene(
            "L15", "commands: the read-back twice, the third command not carried out", RTU_OVER_TCP, _blocks(1),
            lambda: Twins(50), turnaround_ms=10, every_ms=500, relay=RelayPoint(read=True, echoes=True),
        ),
        Scene("L16", "8 coils a block, every answer again after 40 ms", RTU_OVER_TCP,
              _blocks(4, table="coil", count=8, step=104), lambda: Twins(40), keys={"max_gap": 0}),
        Scene("L16b", "16 coils a block, the same", RTU_OVER_TCP,
              _blocks(4, table="coil", count=16, step=104), lambda: Twins(40), keys={"max_gap": 0}),
        Scene("L16c", "24 coils a block, the same", RTU_OVER_TCP,
              _blocks(4, table="coil", count=24, step=104), lambda: Twins(40), keys={"max_gap": 0}),
    )
}  # fmt: skip
