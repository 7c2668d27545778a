"""Checks of a host: faults that keep a gateway from working, judged from a record of facts (pure).

facts ──► CHECKS, each yields lines ok / warn / fail with a hint ──► exit code 1 if any fails
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from bus.clock import ClockState
from bus.messages import ConditionState
from mms_gateway.status.board import condition_text

LATENCY_MS: Final = 1
PYTHON: Final = (3, 11)
LOW_OCTETS: Final = 1 << 30
LEAST_OCTETS: Final = 50 << 20
CLOCK_ERROR_NS: Final = 10_000_000


class Level(str, Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Line:
    """One finding, and what would help."""

    level: Level
    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class UnitAnswer:
    """Answer to a request to a unit: `answer` in words, `by` the unit that answered, None if nobody did."""

    device: str
    asked: int
    by: int | None
    answer: str


@dataclass(frozen=True, slots=True)
class Port:
    """One line's port as it was found. `unsolicited` octets came before anything was asked; None: not listened to."""

    line: str
    path: str  # of a serial port; host:port of a connection
    serial: bool
    exists: bool = True
    allowed: bool = True
    group: str = ""  # that owns the device
    by_path: str | None = None  # its name under /dev/serial/by-path
    latency_ms: int | None = None  # of an FTDI adapter
    latency_file: str = ""
    held: bool = False  # by the running gateway: nothing was asked
    conditions: tuple[ConditionState, ...] = ()  # that the running gateway has seen
    fault: str = ""  # why it could not be opened
    unsolicited: int | None = None
    echo: bool | None = None
    units: tuple[UnitAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """A host and a site, as a shell found them."""

    python: tuple[int, int]
    versions: dict[str, str]
    clock: ClockState
    state_dir: str
    free_octets: int
    user: str
    groups: frozenset[str]
    low_ports_from: int  # the first port that every user may bind
    is_root: bool
    listens: tuple[tuple[str, int], ...] = ()  # IED and port
    ports: tuple[Port, ...] = ()


CURES: Final = {
    "surplus-frames": "a converter or radio repeats answers: switch its retries or its redundancy off",
    "holds-answers": "a converter passes answers on late: look for its packet or inter-frame time",
    "late-answers": "raise `timeout` of the device above the longest delay",
    "gateway-gives-up": "raise the time-out of the Modbus gateway for its serial side above that of its slowest device",
    "second-master": "one line has one master: take the other one off",
    "shared-line": "let the serial server accept one client only, or give the other client a line of its own",
    "two-devices": "two devices have one address: take one off, `mms-gateway scan` shows who answers then",
}
"""By condition, `no-identity` apart: that is of the plan, and no fault."""


def examine(facts: Facts) -> list[Line]:
    """Every finding, in the order of CHECKS."""
    return [line for check in CHECKS for line in check(facts)]


# ---------------------------------------------------------------------- the host


def _python(facts: Facts) -> Iterator[Line]:
    found = ".".join(map(str, facts.python))
    if facts.python < PYTHON:
        yield Line(
            Level.FAIL, f"Python {found}, expected 3.11 or newer", "install a newer one, and the gateway with it"
        )
        return
    versions = ", ".join(f"{name} {version}" for name, version in facts.versions.items())
    yield Line(Level.OK, f"Python {found}; {versions}")


def _clock(facts: Facts) -> Iterator[Line]:
    state = facts.clock
    hint = "start chronyd with `rtcsync`, ntpd or systemd-timesyncd; without, stamps say clockNotSynchronized"
    if state.failed:
        yield Line(Level.FAIL, "the kernel says that its clock has failed", "look at `adjtimex -p` and the host's log")
    elif not state.synchronized:
        yield Line(Level.WARN, "the clock is not synchronized", hint)
    elif state.error_ns is not None and state.error_ns > CLOCK_ERROR_NS:
        yield Line(
            Level.WARN,
            f"the clock may be {state.error_ns / 1e6:.0f} ms off",
            "a nearer time source; see `chronyc tracking`",
        )
    else:
        yield Line(Level.OK, "the clock is synchronized")


def _disk(facts: Facts) -> Iterator[Line]:
    free = f"{facts.free_octets / (1 << 20):.0f} MiB free for {facts.state_dir}"
    hint = "buffered reports and logs are kept there: make room, or name another folder with --state-dir"
    level = (
        Level.FAIL if facts.free_octets < LEAST_OCTETS else Level.WARN if facts.free_octets < LOW_OCTETS else Level.OK
    )
    yield Line(level, free, "" if level is Level.OK else hint)


def _low_ports(facts: Facts) -> Iterator[Line]:
    for ied, port in facts.listens:
        if facts.is_root or port >= facts.low_ports_from:
            yield Line(Level.OK, f"{ied} may listen on port {port}")
        else:
            hint = (
                f"`sudo sysctl net.ipv4.ip_unprivileged_port_start={port}`, or another port: `--mms-port {ied}=10102`"
            )
            yield Line(Level.FAIL, f"{ied}: {facts.user} may not listen on port {port}", hint)


# ---------------------------------------------------------------------- ports and lines


def _ports(facts: Facts) -> Iterator[Line]:
    for port in facts.ports:
        if port.serial:
            yield from _serial(port, facts)
        if port.held:
            yield Line(Level.OK, f"{port.line}: held by the running gateway, nothing was asked")
        elif port.fault and port.exists and port.allowed:
            yield Line(Level.FAIL, f"{port.line}: {port.fault}", "is another program using it? `fuser -v` shows who")
        yield from _conditions(port)
        yield from _heard(port)


def _conditions(port: Port) -> Iterator[Line]:
    for one in port.conditions:
        level = Level.WARN if one.name in CURES else Level.OK
        yield Line(level, f"{port.line}: {condition_text(one)}", CURES.get(one.name, ""))


def _serial(port: Port, facts: Facts) -> Iterator[Line]:
    if not port.exists:
        hint = "is the adapter plugged in? `ls -l /dev/serial/by-path` shows those that are"
        yield Line(Level.FAIL, f"{port.line}: no port {port.path}", hint)
        return
    if not port.allowed:
        joined = f"log in again: {facts.user} has joined {port.group} since"
        join = f"`sudo usermod -aG {port.group} {facts.user}`, then log in again"
        hint = joined if port.group in facts.groups else join
        yield Line(Level.FAIL, f"{port.line}: {facts.user} may not open {port.path}, group {port.group}", hint)
    elif port.by_path is not None and port.by_path != port.path:
        hint = f"`port: {port.by_path}` in site.yaml stays the same when adapters are plugged in another order"
        yield Line(Level.WARN, f"{port.line}: {port.path} is a name that may move", hint)
    else:
        yield Line(Level.OK, f"{port.line}: {port.path} can be opened")
    if port.latency_ms is not None and port.latency_ms > LATENCY_MS:
        what = f"{port.line}: the adapter waits {port.latency_ms} ms with what it has received"
        yield Line(Level.WARN, what, f"`echo 1 | sudo tee {port.latency_file}`")


def _heard(port: Port) -> Iterator[Line]:
    if port.unsolicited:
        what = f"{port.line}: {port.unsolicited} octets came before anything was asked: another master talks"
        yield Line(Level.FAIL, what, "one line has one master: take the other one off, or listen through it")
    if port.echo:
        what = f"{port.line}: what is sent comes back: the adapter echoes"
        yield Line(
            Level.WARN, what, "it is stripped, and costs time: switch the receiver off while sending (RE with DE)"
        )
    for unit in port.units:
        yield _unit(port, unit)


def _unit(port: Port, unit: UnitAnswer) -> Line:
    name = f"{port.line}: {unit.device}, unit {unit.asked}"
    if unit.by is None:
        hint = "unit, baud rate, parity, A and B exchanged, termination: `mms-gateway scan` shows who answers"
        return Line(Level.FAIL, f"{name}, {unit.answer}", hint)
    if unit.by != unit.asked:
        hint = f"`unit: {unit.by}` in site.yaml, or set the device's own address"
        return Line(Level.FAIL, f"{name}: unit {unit.by} answers instead", hint)
    return Line(Level.OK, f"{name}: {unit.answer}")


CHECKS: Final[tuple[Callable[[Facts], Iterator[Line]], ...]] = (_python, _clock, _disk, _low_ports, _ports)
