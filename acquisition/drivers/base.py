"""The contract of a driver: framing only, no clock and no port (the line's shell owns both).

A driver turns a request into octets, and finds in the octets that came the one unit that answers it:

    request(ask, tag)              the octets that ask
    take(ask, tag, buffer)         Registers, Text, Identity, Confirmed or ExceptionResponse if the answer is there (and removed
                                   from `buffer`); Foreign for a sound unit that answers something else; ForeignRequest
                                   for one that asks; Continue if the device first wants to hear more; None if no unit
                                   is complete. Octets that cannot begin an answer are removed.

A driver that continues is in a conversation (D30): `request` begins a new one, whatever became of the last.

`tag` is the shell's number of the request; drivers whose protocol has transaction ids put it on the wire. Each file
here has one driver and ends with one constant `DRIVER`, which carries its `Protocol` (mapping/protocols.py) and its
device side (device_side.py, D113); `Settings` are the site's keys for a line of that protocol.
"""

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from acquisition.drivers.device_side import Answering, Devices
from mapping.plan import Behind, LinePath, Register, Table
from mapping.protocols import LineSettings, Protocol, Transport
from mapping.schema.fields import Milliseconds


@dataclass(frozen=True, slots=True)
class Read:
    """Ask `unit` for `count` registers or bits from `address`."""

    unit: int
    table: Table
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class Write:
    """Write `values` (registers 0..65535, or bits 0 and 1) from `address`, with Modbus function 5, 6, 15 or 16.

    Function 22 changes bits of one register: `values` are the mask of those that stay, and the bits to be set.
    """

    unit: int
    function: int
    address: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Ask an instrument in text; a serial one answers with a line that ends with `end` (empty: CR, LF or CR LF)."""

    text: str
    end: str = ""


@dataclass(frozen=True, slots=True)
class Identification:
    """Ask `unit` what it is: Modbus function 43/14 (its basic objects) or 17."""

    unit: int
    function: Literal[17, 43]


Ask = Read | Write | Question | Identification


@dataclass(frozen=True, slots=True)
class Registers:
    """The registers (0..65535) or bits (0, 1) that were asked for, in order."""

    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """The answer of an instrument: a line without its end, or a meter's whole readout."""

    line: str


@dataclass(frozen=True, slots=True)
class Identity:
    """The identification of a device by itself: maker, product, revision and so on, as far as it says."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The device has confirmed a write, with the very address and value (or count) that were written."""


@dataclass(frozen=True, slots=True)
class ExceptionResponse:
    """The device rejects the request: a Modbus exception response, or its counterpart in another protocol."""

    code: int


@dataclass(frozen=True, slots=True)
class Foreign:
    """A sound unit that answers something else: a late response, another unit, an echo.

    `octets_of_data` is the size of the data it carries, None if it carries none: with it a late answer is recognized.
    `may_ask`: it could as well be the request of another master.
    """

    unit: int
    function: int
    octets_of_data: int | None
    may_ask: bool = False


@dataclass(frozen=True, slots=True)
class ForeignRequest:
    """A sound unit that asks: another master's. `octets_of_data`: of the response that it will have; None for a write."""

    unit: int
    function: int
    octets_of_data: int | None


@dataclass(frozen=True, slots=True)
class Continue:
    """The conversation goes on: wait, write `octets` (there may be none), then go on at `baudrate` (None: as before)."""

    octets: bytes
    baudrate: int | None = None
    after_s: float = 0.0


Found = Registers | Text | Identity | Confirmed | ExceptionResponse | Foreign
Step = Found | Continue | ForeignRequest


class Driver(typing.Protocol):
    """See the module."""

    def request(self, ask: Ask, tag: int) -> bytes:
        """The octets that ask."""

    def take(self, ask: Ask, tag: int, buffer: bytearray) -> Step | None:
        """The next unit in `buffer`, which is removed from it; None while there is no whole one."""


class Settings(BaseModel):
    """The keys that every line has."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)  # `on` is a word, and "9600" no number

    worker: Annotated[
        str | None, Field(description="process that serves the line; by default one for each serial line, and `tcp`")
    ] = None
    delay_after_connect: Annotated[
        Milliseconds | None,
        Field(description="silence after the port or the connection is opened, before the first request"),
    ] = None
    delay_between: Annotated[
        Milliseconds | None,
        Field(description="least silence between an answer and the next request, to whichever device"),
    ] = None
    behind: Annotated[
        Behind | None,
        Field(
            description="what a transaction id names: the answer of the `device` itself, whatever comes, or that of a "
            "`gateway` with devices behind it; default: the device's, until something tells of a gateway"
        ),
    ] = None
    path: Annotated[
        LinePath | None,
        Field(
            description="way to the devices: a `wire` is first in, first out and quick, on a `network` a missing answer may "
            "come for 60s; default: a serial port is a wire, until an answer is later than two time-outs"
        ),
    ] = None


class SerialSettings(Settings):
    """A line on a serial port."""

    port: Annotated[str, Field(min_length=1, description="device path, best one of /dev/serial/by-path")]
    baudrate: Annotated[int, Field(ge=50, le=4_000_000)] = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop_bits: Literal[1, 2] = 1
    rts: Annotated[
        Literal["rs485"] | None,
        Field(
            description="`rs485`: RTS turns a transceiver to sending while a request is sent; the system's driver does it"
        ),
    ] = None
    rts_before: Annotated[Milliseconds | None, Field(description="from RTS to the first character")] = None
    rts_after: Annotated[Milliseconds | None, Field(description="from the last character to the end of RTS")] = None


class TcpSettings(Settings):
    """A line that is a TCP connection."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 502


_NO_SETTINGS: Final[LineSettings] = {}


@dataclass(frozen=True, slots=True)
class DriverSpec:
    """A driver as it is found: its protocol, and its two ends: the master's and, for simulated lines, the devices'.

    Both are made from a line's settings. `anonymous`: an answer tells nothing of its question, so that after a time-out
    the line waits for the missing one (D65). `longest_s`: an answer of many parts, for which a device's time-out runs from
    the last octet that came, the whole taking no longer than that; 0: the time-out is for the whole. `checksum`: a response
    ends with one, so that a cut or changed response is found.
    """

    protocol: Protocol
    driver: Callable[[LineSettings], Driver]
    devices: Callable[[Devices, LineSettings], Answering]
    anonymous: bool = False
    checksum: bool = False
    longest_s: float = 0.0

    @property
    def name(self) -> str:
        """The name of its protocol in site.yaml."""
        return self.protocol.name

    @property
    def transport(self) -> Transport:
        """The carrier of a line."""
        return self.protocol.transport

    @property
    def serial(self) -> bool:
        """True if the line is a serial port."""
        return self.protocol.serial

    @property
    def names_no_unit(self) -> bool:
        """True if an answer tells no device: a line of text, of ADAM modules, a meter's readout."""
        return self.anonymous or self.protocol.asks is not Register

    @property
    def tagged(self) -> bool:
        """True if a late answer is known by its tag."""
        return self.protocol.tagged

    def tag_of(self, buffer: bytearray) -> int:
        """The tag of the unit that `buffer` begins with."""
        return int.from_bytes(buffer[: self.protocol.tag_octets], "big")

    def make(self, settings: LineSettings = _NO_SETTINGS) -> Driver:
        """The driver of a line with these settings."""
        return self.driver(settings)
