"""ADAM-4000 modules and their like: a command and an answer in ASCII, each ended by CR.

    read  input N      #AAN         >+05.123      channel N of an analogue input module
    read  discrete N   $AA6         !112200       bit N of the first four digits: inputs 0..7 of a 4050 are 0..7
    read  coil N       $AA6         !112200       bit N of the first two digits: outputs of a 4050 or 4060
    write coil N       #AA1N01      >             one output
    read  holding N    $AA6CN       !AA+07.000    output N of a 4024, as it was last set
    write holding N    #AACN+07.000 >  or !AA
                       any of them  ?AA           the module knows the command and refuses it

AA is the unit in hexadecimal. With `checksum`, two digits stand before CR both ways: the sum of all characters before
them, modulo 256. A channel's number is delivered as the two registers of a float32. Five digits are wanted, no more and
no less, so that a character that is lost is seen; `+9999` and `-0000` are a sensor beyond its range, delivered as nan.

An answer tells neither its channel nor, mostly, its module: after a time-out the line waits for the one that is missing.
"""

import re
import struct
from typing import Annotated, Final

from pydantic import Field

from acquisition.drivers.base import (
    Ask,
    Confirmed,
    DriverSpec,
    Foreign,
    Found,
    Identification,
    LineSettings,
    Question,
    Read,
    Refused,
    Registers,
    SerialSettings,
    Write,
)

_LONGEST: Final = 64
_NUMBER: Final = re.compile(rb"[+-]?(?=[0-9]*\.[0-9]*$)[0-9.]{6}")
_BEYOND: Final = re.compile(rb"[+-]9{4,5}|-0{4,5}")
_BITS: Final = re.compile(rb"!([0-9A-F]{4})[0-9A-F]{2}")
_SIGNS: Final = (b">", b"!", b"?")
_ILLEGAL_ADDRESS, _ILLEGAL_VALUE = 2, 3
_OUTPUTS: Final = 8  # the outputs stand in the upper octet of the bits


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
        case Question() | Identification():
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


def _judged(ask: Ask, answer: bytes) -> Found:
    address = b"%02X" % (0 if isinstance(ask, Question) else ask.unit)
    if answer == b"?" + address:
        return Refused(_ILLEGAL_ADDRESS if isinstance(ask, Read) else _ILLEGAL_VALUE)
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


DRIVER: Final = DriverSpec("adam-ascii", AdamSettings, AdamAscii, "serial", anonymous=True)
