"""The type of a protocol: all that the compiler, the planner and the tools of an engineer need to know of it. No names.

    DRIVER ── its Protocol ──► by the name in site.yaml ──► compile_site, planner, scan, guess, doctor

Each driver carries its own (D113). Whoever starts a program collects them; here, nothing knows which there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

from mapping.plan import Block, Obis, PointPlan, PollSettings, Register, Reply, ReplyBlock, Resync, Table

LineSettings = Mapping[str, str | int | float | bool]
Transport = Literal["serial", "tcp", "tls", "udp", "memory"]
"""The carrier of a line; `memory`: its devices are simulated in the worker that asks them."""

REGISTERS_LIMIT: Final = 125
REQUEST_OCTETS: Final = 8
ANSWER_OCTETS: Final = 5
TEXT_ANSWER_OCTETS: Final = 24  # a guess: an instrument's line
EVERY_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class SignOn:
    """The conversation before a readout: `octets` of it at the line's own rate, then `lines` at `baudrate`.

    `turnaround_s` is the time both sides leave each other; `lines` is at least how many lines a readout has.
    """

    octets: int
    turnaround_s: float
    lines: int
    baudrate: Callable[[LineSettings], float]


@dataclass(frozen=True, slots=True)
class Framing:
    """Costs of a protocol on the line, reckoned from an RTU frame: `characters` for each octet of it, and `more` for all.

    `silence`: 3.5 characters of it come before a frame (1.75 ms above 19200 baud). `registers`: the most of one request.
    `by_table`: characters of request and answer, where they are the same for every read of a table. `sign_on`: of readouts.
    """

    characters: int = 1
    more: int = 0
    silence: bool = False
    registers: int = REGISTERS_LIMIT
    by_table: Mapping[Table, tuple[int, int]] | None = None
    sign_on: SignOn | None = None

    def of(self, octets: int) -> int:
        """The characters for a frame that has `octets` in RTU."""
        return self.characters * octets + self.more

    def octets(self, block: Block) -> tuple[int, int]:
        """The characters of the request and of the answer; of a readout the sign-on too."""
        if isinstance(block, ReplyBlock):
            return len(block.request), self._text(len(block.points))
        if self.by_table is not None:
            return self.by_table[block.table]
        data = -(-block.count // 8) if block.table in ("coil", "discrete") else 2 * block.count
        return self.of(REQUEST_OCTETS), self.of(ANSWER_OCTETS + data)

    def _text(self, points: int) -> int:
        if self.sign_on is None:
            return TEXT_ANSWER_OCTETS
        return self.sign_on.octets + max(self.sign_on.lines, points) * TEXT_ANSWER_OCTETS


def none_of_its_own(_: int) -> None:
    """No question that every device of the protocol answers: a profile may have one."""


def fits(_: PointPlan) -> None:
    """No misfit: the protocol can ask for every point of its kind."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A protocol by its `name` in site.yaml, with the `settings` that a line of it takes and what carries the line.

    `asks`: where a point of it stands: in a register, in the answer to a request in text, or in a meter's readout.
    `tag_octets`: so many octets in front of a frame number the request, and its answer bears the same; 0: none do.
    `broadcast`: unit 0 is every device. `modbus`: its devices know Modbus' functions: they can be identified, scanned,
    guessed, and reached by a second path. `address`: a device may have an `address:` of its own. `every_ms`, `timeout_ms`:
    the defaults of a device. `misfit`: why a point cannot be asked for, as the end of a sentence; None if it can. `resync`: by
    unit, the question of every device whose reply is told from all others.
    """

    name: str
    settings: type[BaseModel]
    transport: Transport
    asks: type[Register] | type[Reply] | type[Obis] = Register
    framing: Framing = Framing()
    tag_octets: int = 0
    broadcast: bool = False
    modbus: bool = False
    address: bool = False
    every_ms: int = EVERY_MS
    timeout_ms: int = PollSettings().timeout_ms
    misfit: Callable[[PointPlan], str | None] = fits
    resync: Callable[[int], Resync | None] = none_of_its_own

    @property
    def serial(self) -> bool:
        """True if the line is a serial port."""
        return self.transport == "serial"

    @property
    def tagged(self) -> bool:
        """True if an answer is known by a number of its request: several may be awaited at once."""
        return self.tag_octets > 0


Protocols = Mapping[str, Protocol]
"""Protocols by name."""
