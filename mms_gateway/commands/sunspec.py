"""`mms-gateway sunspec HOST`: asks a SunSpec device for its models and writes a profile of it."""

import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import cyclopts

from acquisition.drivers.base import ExceptionResponse, Read, Registers
from acquisition.drivers.modbus_tcp import ModbusTcp
from bus.endpoint import Endpoint
from mapping.sunspec.chain import Ask, Chain, SunSpecError, Words, discover
from mapping.sunspec.profile import profile
from mms_gateway.command import BAD_CONFIGURATION, FAILED, OK, Command

PORT: Final = 502
_OCTETS: Final = 4096


def sunspec(
    host: str,
    /,
    *,
    unit: Annotated[int, cyclopts.Parameter(validator=cyclopts.validators.Number(gte=0, lte=255))] = 1,
    models: Annotated[list[int] | None, cyclopts.Parameter(consume_multiple=True)] = None,
    output: Path | None = None,
    timeout: Annotated[float, cyclopts.Parameter(validator=cyclopts.validators.Number(gt=0))] = 2.0,
) -> int:
    """Ask a SunSpec device on Modbus TCP for its models, and write a device profile with their registers.

    Parameters
    ----------
    host
        HOST or HOST:PORT; port 502 by default.
    unit
        Its Modbus unit.
    models
        Only these models' points: an inverter and the meter behind it are two profiles.
    output
        The file, devices/NAME.yaml beside site.yaml; stdout by default. One that is there already is left alone.
    timeout
        Seconds that it may take to answer.
    """
    if output is not None and output.exists():
        return _failed(f"{output} is there already, and may have been edited: name another file", BAD_CONFIGURATION)
    try:
        there = Endpoint.parse(host, PORT)
    except ValueError:
        return _failed(f"`{host}` is no address, expected HOST or HOST:PORT", BAD_CONFIGURATION)
    try:
        with socket.create_connection((there.host, there.port), timeout) as connection:
            chain = followed(_Asking(connection, unit, timeout))
        text = profile(chain, f"{there}, unit {unit}", models or ())
        if output is None:
            sys.stdout.write(text)
        else:
            output.parent.mkdir(parents=True, exist_ok=True)
            output.write_text(text, encoding="utf-8")
    except SunSpecError as error:
        return _failed(str(error), FAILED)
    except OSError as error:
        return _failed(f"{there}: {error.strerror or error}", FAILED)
    return OK


def followed(ask: Callable[[Ask], Words]) -> Chain:
    """The chain that `discover` finds with `ask`."""
    discovery = discover()
    words: Words = None
    try:
        wanted = next(discovery)
        while True:
            words = ask(wanted)
            wanted = discovery.send(words)
    except StopIteration as found:
        chain: Chain = found.value
        return chain


class _Asking:
    """Reads holding registers of one unit, one request at a time."""

    def __init__(self, connection: socket.socket, unit: int, timeout_s: float) -> None:
        self._connection = connection
        self._unit = unit
        self._timeout_s = timeout_s
        self._driver = ModbusTcp()
        self._tag = 0

    def __call__(self, ask: Ask) -> Words:
        """The registers, None if the device refuses. Raises OSError, TimeoutError among them."""
        self._tag += 1
        read = Read(self._unit, "holding", ask.address, ask.count)
        self._connection.sendall(self._driver.request(read, self._tag))
        deadline = time.monotonic() + self._timeout_s
        buffer = bytearray()
        while True:
            found = self._driver.take(read, self._tag, buffer)
            if isinstance(found, Registers):
                return found.values
            if isinstance(found, ExceptionResponse):
                return None
            if found is not None:
                continue  # a late answer to another request
            self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
            octets = self._connection.recv(_OCTETS)
            if not octets:
                raise ConnectionError("the device has closed the connection")
            buffer += octets


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"mms-gateway: {text}\n")
    return code


COMMAND: Final = Command("sunspec", sunspec)
