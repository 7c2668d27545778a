r"""IEC 62056-21: the readout of a meter, in mode C, B or A, by its optical head or current loop.

    we      /?!\r\n                        or /?ADDRESS!\r\n, at 300 baud
    meter   /ABB5\@V9.20\r\n               maker, the baud rate it offers, what it is
    we      ACK 0 5 0 \r\n                 mode C: a readout, at that rate; both change over
    meter   STX lines ! \r\n ETX BCC       BCC: all octets after STX, ETX with them, by exclusive or

A digit offers a rate and awaits the acknowledgement (C); a letter from A to F names the rate to which the meter changes
by itself (B); after anything else it stays as it is (A). Octets have seven bits and even parity; where the port cannot
do that (8N1), the parity is made here. A head sends back what it sends: that is neither an identification nor a readout.
"""

import re
from functools import reduce
from operator import xor
from typing import Annotated, Final, Literal

from pydantic import Field

from acquisition.drivers.base import (
    Ask,
    Continue,
    DriverSpec,
    Foreign,
    Question,
    SerialSettings,
    Step,
    Text,
)
from acquisition.drivers.device_side import REQUEST_LIMIT, AnsweringDevice, Devices, Turn, turn_of, unreadable
from mapping.plan import Obis
from mapping.protocols import Framing, LineSettings, Protocol, SignOn

RATES: Final = (300, 600, 1200, 2400, 4800, 9600, 19200)  # by the digit that offers them
LONGEST_S: Final = 180.0  # some 5000 characters at 300 baud
REACTION_S: Final = 0.2  # what each side leaves the other to turn round
_IDENTIFICATION: Final = re.compile(rb"/[A-Za-z]{3}([ -~])[ -~]{0,16}\r\n")
_IDENTIFICATION_LIMIT: Final = 23
_READOUT_LIMIT: Final = 32_768
_STX, _ETX = 0x02, 0x03
_SEVEN_BITS: Final = bytes(octet & 0x7F for octet in range(256))
READOUT_BAUDRATE: Final = 9600  # what most meters offer
_EVERY_MS: Final = 60_000  # a readout takes seconds, and wears a battery
_TIMEOUT_MS: Final = 2000  # a meter may take 1.5 s between two of its characters
_READOUT_LINES: Final = 40  # a guess: what a meter says beside the lines that are wanted
_SIGN_ON_OCTETS: Final = 20 + 6  # identification and acknowledgement
_EVEN_PARITY: Final = bytes(octet & 0x7F | (octet & 0x7F).bit_count() % 2 << 7 for octet in range(256))


class Iec62056Settings(SerialSettings):
    """A line of meters that are read out."""

    baudrate: Annotated[Literal[300, 600, 1200, 2400, 4800, 9600, 19200], Field(description="of the sign-on")] = 300
    data_bits: Literal[7, 8] = 7
    parity: Literal["none", "even", "odd"] = "even"
    fixed_baudrate: Annotated[
        bool, Field(description="head or meter that cannot change over: all is said at `baudrate`")
    ] = False


class Iec62056Part21:
    """The conversation with one meter after the other."""

    def __init__(self, settings: LineSettings) -> None:
        self._baudrate = int(settings.get("baudrate", 300))
        self._fixed = bool(settings.get("fixed_baudrate", False))
        self._makes_parity = (settings.get("data_bits", 7), settings.get("parity", "even")) == (8, "none")
        self._identified = False

    def request(self, ask: Ask, tag: int) -> bytes:
        """The sign-on; with it a conversation begins."""
        if not isinstance(ask, Question):
            raise TypeError("a register on a line of meters that are read out")
        self._identified = False
        return self._sent(ask.text.encode("ascii"))

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Step | None:
        """The acknowledgement once the meter has said what it is, then its readout; Foreign if BCC is wrong."""
        buffer[:] = buffer.translate(_SEVEN_BITS)
        return _readout(buffer) if self._identified else self._identification(buffer)

    def _identification(self, buffer: bytearray) -> Continue | None:
        match = _IDENTIFICATION.search(buffer)
        if match is None:
            del buffer[:-_IDENTIFICATION_LIMIT]
            return None
        offered = chr(match.group(1)[0])
        del buffer[: match.end()]
        self._identified = True
        if offered.isdecimal() and int(offered) < len(RATES):
            rate = self._baudrate if self._fixed else RATES[int(offered)]
            acknowledged = self._sent(b"\x060%d0\r\n" % RATES.index(rate))
            return Continue(acknowledged, None if self._fixed else rate, REACTION_S)
        by_itself = "ABCDEF".find(offered)
        return Continue(b"", None if self._fixed or by_itself < 0 else RATES[by_itself + 1])

    def _sent(self, octets: bytes) -> bytes:
        return octets.translate(_EVEN_PARITY) if self._makes_parity else octets


def _readout(buffer: bytearray) -> Text | Foreign | None:
    start = buffer.find(_STX)
    del buffer[: start if start >= 0 else len(buffer)]
    end = buffer.find(_ETX)
    if end < 0 or len(buffer) < end + 2:
        if len(buffer) > _READOUT_LIMIT:
            buffer.clear()
        return None
    last = buffer.rfind(_STX, 0, end)  # a readout that was cut off may stand before it
    block, check = bytes(buffer[last + 1 : end + 1]), buffer[end + 1]
    del buffer[: end + 2]
    if bcc(block) != check:
        return Foreign(0, 0, None)
    return Text(block[:-1].decode("ascii").removesuffix("!\r\n"))


def bcc(octets: bytes) -> int:
    """The block check character of `octets`, which begin after STX and end with ETX."""
    return reduce(xor, octets, 0)


class Iec62056Devices:
    """The device side of meters that are read out in mode C."""

    def __init__(self, devices: Devices, settings: LineSettings) -> None:
        self._by_request = {
            point.source.request.encode("ascii"): unit
            for unit, device in devices.items()
            for point in device.plan.points
            if isinstance(point.source, Obis)
        }
        self._devices = devices
        fixed = settings.get("fixed_baudrate", False)
        self._offered = int(settings.get("baudrate", 300)) if fixed else READOUT_BAUDRATE
        self._unit = -1  # of the meter that has been signed on

    def take(self, buffer: bytearray) -> Turn | None:
        """See Answering."""
        buffer[:] = buffer.translate(_SEVEN_BITS)
        while (end := buffer.find(b"\r\n") + 2) >= 2:
            text = bytes(buffer[:end])
            del buffer[:end]
            turn = self._identification(text) or self._acknowledged(text)
            if turn is not None:
                return turn
        if len(buffer) > REQUEST_LIMIT:
            buffer.clear()
        return None

    def _identification(self, text: bytes) -> Turn | None:
        unit = next((unit for request, unit in self._by_request.items() if text.endswith(request)), None)
        if unit is None:
            return None
        self._unit = unit
        offered = b"/SIM%dGATEWAY\r\n" % RATES.index(self._offered)
        return turn_of(self._devices, unit, len(text), lambda _: offered)

    def _acknowledged(self, text: bytes) -> Turn | None:
        if text[-6:-4] != b"\x060" or not text[-4:-3].isdigit() or text[-3:] != b"0\r\n":
            return None
        turn = turn_of(self._devices, self._unit, len(text), self._readout)
        return Turn(len(text), turn.answer, turn.late_s, RATES[min(int(text[-4:-3]), len(RATES) - 1)])

    def _readout(self, device: AnsweringDevice) -> bytes:
        block = device.readout().encode("ascii", "replace") + b"!\r\n\x03"
        check = bcc(block) ^ unreadable(device)
        return b"\x02" + block + bytes((check,))


def _readout_rate(settings: LineSettings) -> float:
    """The baud rate of a readout, as far as it is known before a meter has offered one."""
    own = float(settings.get("baudrate", 300))
    return own if settings.get("fixed_baudrate") else max(own, READOUT_BAUDRATE)


DRIVER: Final = DriverSpec(
    Protocol(
        "iec62056-21",
        Iec62056Settings,
        "serial",
        asks=Obis,
        framing=Framing(sign_on=SignOn(_SIGN_ON_OCTETS, 2 * REACTION_S, _READOUT_LINES, _readout_rate)),
        address=True,
        every_ms=_EVERY_MS,
        timeout_ms=_TIMEOUT_MS,
    ),
    Iec62056Part21,
    Iec62056Devices,
    checksum=True,
    longest_s=LONGEST_S,
)
