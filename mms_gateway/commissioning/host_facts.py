"""The facts that `doctor` judges, as this host and this site have them. Shell: it looks, listens, and asks each device once."""

import asyncio
import getpass
import grp
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Final

from acquisition.drivers.base import Ask
from acquisition.drivers.registry import driver_of
from acquisition.exchange.beginnings import HOLD_S
from acquisition.exchange.identity.response_identity import window_s
from acquisition.exchange.port_factory import port_of
from acquisition.transport.errors import NoConnectionError
from acquisition.transport.ports import Port as LinePort
from bus.endpoint import Endpoint
from bus.messages import ConditionState
from bus.system_clock import kernel_state
from bus.version import version
from mapping.plan import DevicePlan, IedPlan, LinePlan
from mms_gateway.commissioning.answer_kind import AnswerKind, answer_kind
from mms_gateway.commissioning.explain.name_lookup import NotThereError, Place, held_lines
from mms_gateway.commissioning.explain.running_gateway import listening
from mms_gateway.commissioning.host_checks import Facts, Port, UnitAnswer
from mms_gateway.commissioning.manual_exchange import LEAST_LISTEN_S, collected
from mms_gateway.commissioning.point_read import question

LIBRARIES: Final = ("pymodbus", "pyserial", "pyzmq")
BY_PATH: Final = Path("/dev/serial/by-path")
LOW_PORTS: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
TAG: Final = 1


async def gathered(place: Place | None, state_dir: Path, ieds: Iterable[IedPlan]) -> Facts:
    """The facts of this host and, with a site, of its lines. A fault of a line is a fact, no error."""
    held = held_lines(state_dir)
    shown = await _conditions(state_dir) if held and place is not None else {}
    ports = [] if place is None else [await _line(line, held=line.name in held) for line in place.lines()]
    ports = [replace(one, conditions=shown.get(one.line, ())) for one in ports]
    return Facts(
        python=(sys.version_info[0], sys.version_info[1]),
        versions={"mms-gateway": version()} | {name: found for name in LIBRARIES if (found := _version(name))},
        clock=kernel_state(),
        state_dir=str(state_dir),
        free_octets=shutil.disk_usage(_existing(state_dir)).free,
        user=getpass.getuser(),
        groups=frozenset(_groups()),
        low_ports_from=_low_ports(),
        is_root=os.geteuid() == 0,
        listens=tuple((ied.name, at.port) for ied in ieds if (at := Endpoint.parse_listen(ied.listen)) is not None),
        ports=tuple(ports),
    )


async def _conditions(state_dir: Path) -> dict[str, tuple[ConditionState, ...]]:
    """Conditions of the lines of the gateway that runs with this state folder, by line; none if it has just ended."""
    try:
        async with listening(state_dir) as listener:
            return {name: line.conditions for name, line in listener.board.lines.items()}
    except NotThereError:
        return {}


def _version(name: str) -> str:
    try:
        return version_of(name)
    except PackageNotFoundError:
        return ""


def _existing(path: Path) -> Path:
    """The nearest folder above `path` that there is."""
    return path if path.exists() else _existing(path.resolve().parent)


def _groups() -> list[str]:
    """The groups that this user is a member of, also those that this session does not have yet."""
    user = getpass.getuser()
    return [group.gr_name for group in grp.getgrall() if user in group.gr_mem]


def _low_ports() -> int:
    try:
        return int(LOW_PORTS.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 1024


# ---------------------------------------------------------------------- lines


async def _line(line: LinePlan, *, held: bool) -> Port:
    spec = driver_of(line.protocol)
    if spec.transport == "memory":
        return Port(line.name, "", serial=False)
    if spec.serial:
        where = str(line.settings.get("port", ""))
        device = Path(where)
        found = _serial(line.name, where, device)
        if not (found.exists and found.allowed):
            return found
    else:
        there = Endpoint(str(line.settings["host"]), int(line.settings["port"]))
        found = Port(line.name, str(there), serial=False)
    if held:
        return replace(found, held=True)
    try:
        return await _spoken(found, line)
    except NoConnectionError as error:
        return replace(found, fault=str(error))


def _serial(name: str, where: str, device: Path) -> Port:
    exists = device.exists()
    file, latency = _latency(device)
    return Port(
        name,
        where,
        serial=True,
        exists=exists,
        allowed=exists and os.access(device, os.R_OK | os.W_OK),
        group=_group(device) if exists else "",
        by_path=_by_path(device),
        latency_ms=latency,
        latency_file=file,
    )


def _group(device: Path) -> str:
    try:
        return device.group()
    except KeyError:
        return str(device.stat().st_gid)


def _by_path(device: Path) -> str | None:
    """The name of `device` that stays when adapters are plugged in another order; itself if it is one."""
    if not BY_PATH.is_dir() or device.parent == BY_PATH:
        return None
    resolved = device.resolve()
    return next((str(link) for link in sorted(BY_PATH.iterdir()) if link.resolve() == resolved), None)


def _latency(device: Path) -> tuple[str, int | None]:
    """The file of an FTDI adapter's latency timer, and what it says; None where there is none."""
    file = Path("/sys/bus/usb-serial/devices") / device.resolve().name / "latency_timer"
    try:
        return str(file), int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return str(file), None


async def _spoken(found: Port, line: LinePlan) -> Port:
    """Listen, then ask each device once. Raises NoConnectionError."""
    spec = driver_of(line.protocol)
    port = port_of(line, spec)
    await port.open()
    try:
        unsolicited = len(await collected(port, LEAST_LISTEN_S)) if spec.serial else 0
        if not (spec.serial or spec.tagged):  # an answer to somebody before may come in this connection
            await collected(port, max(HOLD_S, window_s(line, spec)))
        if unsolicited or spec.longest_s:  # a conversation of many parts is not begun for a look
            return replace(found, unsolicited=unsolicited)
        asked = [(one, await _ask_once(line, port, one, ask)) for one in line.devices if (ask := _ask(one))]
    finally:
        await port.close()
    echo = any(one.echo for _, one in asked)
    units = tuple(UnitAnswer(device.name, device.unit, _by(device, one), one.answer) for device, one in asked)
    return replace(found, unsolicited=0, echo=echo, units=units)


def _by(device: DevicePlan, found: AnswerKind) -> int | None:
    return device.unit if found.by == 0 else found.by


def _ask(device: DevicePlan) -> Ask | None:
    """The first thing that the device can be asked for."""
    return next((ask for point in device.points if (ask := question(device, point)) is not None), None)


async def _ask_once(line: LinePlan, port: LinePort, device: DevicePlan, ask: Ask) -> AnswerKind:
    """Ask `device` once; the kind of the answer within its time-out. Raises NoConnectionError."""
    spec = driver_of(line.protocol)
    loop = asyncio.get_running_loop()
    driver = spec.make(line.settings)
    sent = driver.request(ask, TAG)
    while await port.read(0):
        pass  # what is there already answers nothing
    await port.write(sent)
    until = loop.time() + device.polling.timeout_ms / 1000
    received = b""
    while (left := until - loop.time()) > 0:
        received += await port.read(left)
        found = answer_kind(spec.make(line.settings), ask, TAG, sent, received)
        if found.by is not None:
            return found
    return answer_kind(driver, ask, TAG, sent, received)
