"""ADAM-4000 modules and their like: a command and an answer in ASCII, each ended by CR.

    read  input N      #AAN         >+05.123      channel N of an analogue input module
    read  discrete N   $AA6         !112200       bit N of the first four digits: inputs 0..7 of a 4050 are 0..7
    read  coil N       $AA6         !112200       bit N of the first two digits: outputs of a 4050 or 4060
    write coil N       #AA1N01      >             one output
    read  holding N    $AA6CN       !AA+07.000    output N of a 4024, as it was last set
    write holding N    #AACN+07.000 >  or !AA
    resync             $AA2         !AA080600     the module's configuration: no other answer looks like it
                       any of them  ?AA           the module knows the command and refuses it

AA is the unit in hexadecimal. With `checksum`, two digits stand before CR both ways: the sum of all characters before
them, modulo 256. A channel's number is delivered as the two registers of a float32. Five digits are wanted, no more and
no less, so that a character that is lost is seen; `+9999` and `-0000` are a sensor beyond its range, delivered as nan.

An answer tells neither its channel nor, mostly, its module: after a time-out the line waits for the one that is missing.
"""

import re
import struct
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
    SerialSettings,
    Text,
    Write,
)
from acquisition.drivers.device_side import AnsweringDevice, Devices, RegisterRange, Turn, turn_of, unreadable
from mapping.plan import PointPlan, Register, Resync, Table
from mapping.protocols import Framing, LineSettings, Protocol

_LONGEST: Final = 64
_NUMBER: Final = re.compile(rb"[+-]?(?=[0-9]*\.[0-9]*$)[0-9.]{6}")
_BEYOND: Final = re.compile(rb"[+-]9{4,5}|-0{4,5}")
_BITS: Final = re.compile(rb"!([0-9A-F]{4})[0-9A-F]{2}")
_SIGNS: Final = (b">", b"!", b"?")
_ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 2, 3
_OUTPUTS: Final = 8  # the outputs stand in the upper octet of the bits
_PLACES: Final = {"input": 16, "holding": 16, "discrete": 16, "coil": 8}
_CHARACTERS: Final[dict[Table, tuple[int, int]]] = {
    "input": (5, 9), "discrete": (5, 8), "coil": (5, 8), "holding": (7, 11),
}  # of a command and its answer, without checksum  # fmt: skip
_CHANNEL_REGISTERS: Final = 2  # a channel is one exchange
_BIT_TABLES: Final[tuple[Table, ...]] = ("coil", "discrete")
_CHANNELS: Final[dict[Table, re.Pattern[str]]] = {
    "input": re.compile(r"([0-9A-F])$"),
    "holding": re.compile(r"6?C([0-9A-F])"),
    "coil": re.compile(r"1([0-7])0[01]$"),
}  # as commands name them
_COMMAND: Final = re.compile(r"([#$])([0-9A-F]{2})([ -~]+)")


class AdamSettings(SerialSettings):
    """A line of ADAM modules."""

    checksum: Annotated[bool, Field(description="two hexadecimal digits of checksum, as the modules are set")] = False


class AdamAscii:
    """Commands and answers of one line."""

    def __init__(self, settings: LineSettings) -> None:
        self._checksum = bool(settings.get("checksum", False))

    def request(self, ask: Ask, tag: int) -> bytes:
        """The command that asks."""
        return sealed(_command(ask), checksum=self._checksum)

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Found | None:
        """The next answer that is whole; one that is no answer to `ask` is Foreign."""
        while (end := buffer.find(b"\r")) >= 0:
            text = bytes(buffer[:end])
            del buffer[: end + 1]
            answer = unsealed(text, checksum=self._checksum)
            if answer:
                return _judged(ask, answer)
        del buffer[:-_LONGEST]
        return None


def sealed(text: bytes, *, checksum: bool) -> bytes:
    """`text` with its end, and before it the checksum where that is in use."""
    return text + (b"%02X\r" % (sum(text) % 256) if checksum else b"\r")


def unsealed(text: bytes, *, checksum: bool) -> bytes | None:
    """The answer in `text`, from its sign on and without its checksum; None if there is none, or the sum is wrong."""
    start = max(text.rfind(sign) for sign in _SIGNS)
    if start < 0:
        return None
    if not checksum:
        return text[start:]
    answer, digits = text[start:-2], text[-2:]
    return answer if answer and b"%02X" % (sum(answer) % 256) == digits else None


def _command(ask: Ask) -> bytes:
    match ask:
        case Read(table="input"):
            return b"#%02X%X" % (ask.unit, ask.address)
        case Read(table="holding"):
            return b"$%02X6C%X" % (ask.unit, ask.address)
        case Read():
            return b"$%02X6" % ask.unit
        case Write(function=5 | 15):
            return b"#%02X1%X%02X" % (ask.unit, ask.address, ask.values[0])
        case Write():
            return b"#%02XC%X" % (ask.unit, ask.address) + _digits(number_of(ask.values))
        case Question():
            return ask.text.encode("ascii")
        case Identification():
            raise TypeError(f"{type(ask).__name__} on a line of ADAM modules")


def _digits(number: float) -> bytes:
    """Sign and five digits; a number that has more in front of its point is sent with them, and refused by the module."""
    whole = max(len(f"{abs(number):.0f}"), 2)
    return f"{number:+07.{max(5 - whole, 0)}f}".encode("ascii")


def number_of(words: tuple[int, ...]) -> float:
    """The float32 in two registers."""
    number: float = struct.unpack(">f", b"".join(word.to_bytes(2, "big") for word in words))[0]
    return number


def _registers(number: float) -> Registers:
    octets = struct.pack(">f", number)
    return Registers((int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:], "big")))


def resync(unit: int) -> Resync:
    """The question of `unit` whose reply has an address and six digits, as no other one."""
    return Resync(f"${unit:02X}2", f"!{unit:02X}[0-9A-F]{{6}}")


def _judged(ask: Ask, answer: bytes) -> Found:
    if isinstance(ask, Question):
        return Text(answer.decode("ascii", "replace"))
    address = b"%02X" % ask.unit
    if answer == b"?" + address:
        return ExceptionResponse(_ILLEGAL_ADDRESS if isinstance(ask, Read) else _ILLEGAL_VALUE)
    found: Found | None = None
    match ask:
        case Write(function=5 | 15) if answer == b">":
            found = Confirmed()
        case Write(function=16) if answer in (b">", b"!" + address):
            found = Confirmed()
        case Read(table="input", count=2) if answer.startswith(b">"):
            found = _number(answer[1:])
        case Read(table="holding", count=2) if answer.startswith(b"!" + address):
            found = _number(answer[3:])
        case Read(table="coil" | "discrete"):
            found = _bits(ask, answer)
    return found or Foreign(0, 0, None)


def _number(text: bytes) -> Registers | None:
    if _NUMBER.fullmatch(text):
        return _registers(float(text))
    return _registers(float("nan")) if _BEYOND.fullmatch(text) else None


def _bits(ask: Read, answer: bytes) -> Registers | None:
    match = _BITS.fullmatch(answer)
    if match is None:
        return None
    first = ask.address + (_OUTPUTS if ask.table == "coil" else 0)
    word = int(match.group(1), 16)
    return Registers(tuple(word >> place & 1 for place in range(first, first + ask.count)))


def _misfit(plan: PointPlan) -> str | None:
    """The reason why an ADAM module has no such point; None if it may have."""
    for register in (plan.source, plan.write):
        if not isinstance(register, Register):
            continue
        places = _PLACES[register.table]
        if register.address >= places:
            return f"{register.table} {register.address}, expected 0..{places - 1} of an ADAM module"
        if register.table in ("input", "holding") and (register.type, register.order) != ("float32", "abcd"):
            return (
                f"{register.type} {register.order}, expected float32 abcd: so a channel of an ADAM module is delivered"
            )
    return None


# ---------------------------------------------------------------------- the device side


class AdamDevices:
    """The device side: what a module does not know it leaves unanswered; a channel that it does not have it refuses."""

    def __init__(self, devices: Devices, settings: LineSettings) -> None:
        self._devices = devices
        self._checksum = bool(settings.get("checksum", False))

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        while (end := buffer.find(b"\r")) >= 0:
            text = bytes(buffer[:end])
            del buffer[: end + 1]
            command = text[:-2] if self._checksum else text
            match = _COMMAND.fullmatch(command.decode("ascii", "replace"))
            if match is not None and sealed(command, checksum=self._checksum) == text + b"\r":
                answer = partial(self._answer, command=command.decode("ascii"))
                return turn_of(self._devices, int(match.group(2), 16), end + 1, answer, _registers_of(match))
        return None

    def _answer(self, device: AnsweringDevice, command: str) -> bytes:
        fault = device.fault
        if fault is not None and fault.kind == "exception":
            text = f"?{command[1:3]}"
        else:
            text = "?" * 8 if unreadable(device) else _reply(device, command)
        return sealed(text.encode("ascii"), checksum=self._checksum) if text else b""


def _registers_of(command: re.Match[str]) -> tuple[RegisterRange, ...]:
    """The channel that a command reads or sets, or the bits that it reads."""
    rest = command.group(3)
    if command.group(1) == "$" and rest == "6":
        return tuple(RegisterRange(table, 0, _PLACES[table] - 1) for table in _BIT_TABLES)
    for table, form in _CHANNELS.items():
        if match := form.match(rest):
            channel = int(match.group(1), 16)
            return (RegisterRange(table, channel, channel),)
    return ()


def _reply(device: AnsweringDevice, command: str) -> str:
    """The module's answer; empty if it says nothing."""
    sign, address, rest = command[0], command[1:3], command[3:]
    if sign == "$" and rest == "2":
        return f"!{address}080600"
    if sign == "$" and rest == "6":
        return f"!{_word(device):04X}00"
    if match := re.fullmatch(r"6C([0-9A-F])", rest):
        point = device.at("holding", int(match.group(1), 16))
        return f"?{address}" if point is None else f"!{address}{_shown(device, point)}"
    if match := re.fullmatch(r"[0-9A-F]", rest):
        point = device.at("input", int(match.group(), 16))
        return f"?{address}" if point is None else f">{_shown(device, point)}"
    if match := re.fullmatch(r"1([0-7])0([01])", rest):
        bit = int(match.group(2))
        return _set(device, "coil", int(match.group(1)), bool(bit), (bit,)) or f"?{address}"
    if match := re.fullmatch(r"C([0-9A-F])([+-][0-9.]{6})", rest):
        number = float(match.group(2))
        return _set(device, "holding", int(match.group(1), 16), number, _registers(number).values) or f"?{address}"
    return f"?{address}" if sign == "#" else ""


def _word(device: AnsweringDevice) -> int:
    """Inputs in the lower octet and upwards, outputs in the upper one."""
    word = 0
    for (table, address), bit in device.registers.items():
        if table in ("coil", "discrete"):
            word |= bool(bit) << address + (_OUTPUTS if table == "coil" else 0)
    return word & 0xFFFF


def _shown(device: AnsweringDevice, point: PointPlan) -> str:
    """The channel's number; beyond five digits its sensor is over range."""
    number = (float(device.values.get(point.local_name) or 0) - point.offset) / point.scale
    return _digits(number).decode("ascii") if len(f"{abs(number):.0f}") < 5 else "+9999"


def _set(device: AnsweringDevice, table: str, address: int, value: float, words: tuple[int, ...]) -> str:
    """`>` if the module has that output; empty if it has not."""
    point = device.at(table, address)
    if point is None or point.write is None:
        return ""
    device.take(point, value if table == "coil" else value * point.scale + point.offset, words)
    return ">"


DRIVER: Final = DriverSpec(
    Protocol(
        "adam-ascii",
        AdamSettings,
        "serial",
        framing=Framing(registers=_CHANNEL_REGISTERS, by_table=_CHARACTERS),
        misfit=_misfit,
        resync=resync,
    ),
    AdamAscii,
    AdamDevices,
    anonymous=True,
)
