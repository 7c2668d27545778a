r"""Registers asked for in lines of text, over TCP: a protocol that no device has, in a package of its own.

    R UNIT TABLE ADDRESS COUNT \n        -> UNIT = WORD ... \n
    W UNIT TABLE ADDRESS WORD ... \n     -> UNIT = \n
                            either       -> UNIT ! CODE \n           refused

Words are four hexadecimal digits. A line that is longer than 1 KiB is none.
"""

import re
from functools import partial
from typing import Annotated, Final

from pydantic import Field

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    DriverSpec,
    ExceptionResponse,
    Foreign,
    Found,
    Identification,
    Question,
    Read,
    Registers,
    TcpSettings,
    Write,
)
from acquisition.drivers.device_side import AnsweringDevice, Devices, Turn, turn_of, unreadable
from mapping.plan import PointPlan, Register
from mapping.protocols import Framing, Protocol

_LONGEST: Final = 1024
_MOST_REGISTERS: Final = 32
_ANSWER: Final = re.compile(rb"([0-9]{1,3}) ([=!])((?: [0-9A-F]{4})*)(?: ([0-9]{1,3}))?")
_READ: Final = re.compile(r"R ([0-9]{1,3}) ([a-z]+) ([0-9]{1,5}) ([0-9]{1,2})")
_WRITE: Final = re.compile(r"W ([0-9]{1,3}) ([a-z]+) ([0-9]{1,5})((?: [0-9A-F]{4}){1,32})")
_ILLEGAL_ADDRESS: Final = 2


class LineSettings(TcpSettings):
    """A line of such devices."""

    port: Annotated[int, Field(ge=1, le=65535)] = 7000


class LineRegisters:
    """The master's side."""

    def request(self, ask: Ask, tag: int) -> bytes:
        """The line that asks."""
        match ask:
            case Read():
                return b"R %d %s %d %d\n" % (ask.unit, ask.table.encode(), ask.address, ask.count)
            case Write():
                table = b"coil" if ask.function in (5, 15) else b"holding"
                return b"W %d %s %d%s\n" % (ask.unit, table, ask.address, _words(ask.values))
            case Question() | Identification():
                raise TypeError(f"{type(ask).__name__} on a line of registers")

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | None:
        """The next line that is an answer."""
        while (end := buffer.find(b"\n")) >= 0:
            match = _ANSWER.fullmatch(bytes(buffer[:end]))
            del buffer[: end + 1]
            if match is not None:
                return _judged(ask, int(match[1]), match[2] == b"!", match[3].split(), match[4])
        del buffer[:-_LONGEST]
        return None


def _words(values: tuple[int, ...] | list[int]) -> bytes:
    return b"".join(b" %04X" % value for value in values)


def _judged(ask: Ask, unit: int, refused: bool, words: list[bytes], code: bytes | None) -> Found:
    foreign = Foreign(unit, 0, 2 * len(words))
    if isinstance(ask, Question) or unit != ask.unit:
        return foreign
    if refused:
        return foreign if code is None else ExceptionResponse(int(code))
    if isinstance(ask, Write):
        return foreign if words else Confirmed()
    if not isinstance(ask, Read) or len(words) != ask.count:
        return foreign
    return Registers(tuple(int(word, 16) for word in words))


def misfit(plan: PointPlan) -> str | None:
    """Such devices have no text in their registers."""
    source = plan.source
    return (
        "a string, which such a device has none of"
        if isinstance(source, Register) and source.type == "string"
        else None
    )


class LineDevices:
    """The devices' side."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while (end := buffer.find(b"\n")) >= 0:
            text = bytes(buffer[:end]).decode("ascii", "replace")
            del buffer[: end + 1]
            match = _READ.fullmatch(text) or _WRITE.fullmatch(text)
            if match is not None:
                return turn_of(self._devices, int(match[1]), end + 1, partial(self._answer, asked=match))
        del buffer[:-_LONGEST]
        return None

    def _answer(self, device: AnsweringDevice, asked: re.Match[str]) -> bytes:
        unit, table, address = asked[1].encode(), asked[2], int(asked[3])
        if device.fault is not None and device.fault.kind == "exception":
            return b"%s ! %d\n" % (unit, device.fault.code)
        if unreadable(device):
            return b"?" * 8 + b"\n"
        words = [int(word, 16) for word in asked[4].split()] if asked[0].startswith("W") else []
        count = len(words) or int(asked[4])
        if not all((table, at) in device.registers for at in (address, address + count - 1)):
            return b"%s ! %d\n" % (unit, _ILLEGAL_ADDRESS)
        if words:
            device.written(table, address, words)
            return b"%s =\n" % unit
        return b"%s =%s\n" % (unit, _words(device.read(table, address, count)))


DRIVER: Final = DriverSpec(
    Protocol(
        "line-registers", LineSettings, "tcp", framing=Framing(characters=3, registers=_MOST_REGISTERS), misfit=misfit
    ),
    lambda _: LineRegisters(),
    lambda devices, _: LineDevices(devices),
)
