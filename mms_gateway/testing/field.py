"""The simulated field of a test: devices by name, through the simulator's control socket.

field["feeder1"].set(voltage_l1=231.0)      in the point's unit; its registers change
field["feeder1"].fault("silent")            until `clear`, or the end of the test
"""

import json
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bus.messages import Value
from mapping.references import nearest

ANSWER_S: Final = 5.0


class WriteRequest(NamedTuple):
    """One write request of a master: the table, the first address, the registers or coils."""

    table: str
    address: int
    values: tuple[int, ...]


class FieldDevice:
    """One simulated device."""

    def __init__(self, control_socket: Path, name: str) -> None:
        self._control_socket = control_socket
        self.name = name

    @property
    def values(self) -> dict[str, Value]:
        """The value of every point as the device shows it, in the point's unit."""
        return dict(self._seen()["values"])

    @property
    def registers(self) -> dict[tuple[str, int], int]:
        """Every register by table (`holding`, `input`, `coil`, `discrete`) and protocol address; 0..65535."""
        found = {}
        for place, word in self._seen()["registers"].items():
            table, _, address = place.partition(" ")
            found[table, int(address)] = int(word)
        return found

    @property
    def writes(self) -> list[WriteRequest]:
        """The writes of masters since the device was last cleared, oldest first."""
        return [WriteRequest(table, address, tuple(words)) for table, address, words in self._seen()["writes"]]

    def set(self, **values: Value) -> None:
        """Hold points at `values`, in each point's unit, rounded to what its registers can hold.

        Raises KeyError for a point that the device does not have, ValueError for a value that its registers cannot hold.
        """
        known = self.values
        for name in values:
            if name not in known:
                raise KeyError(_missing(f"{self.name} has no point {name}", name, known))
        self._ask(set=self.name, values=values)

    def fault(self, kind: str, *, ms: int = 1000, code: int = 4) -> None:
        """Let something be wrong: silent, late (by `ms`), exception (with `code`), crc, wrong_unit, garbage, stuck.

        `stuck`: it confirms what is written, and nothing follows. Raises ValueError for another kind.
        """
        self._ask(fault=self.name, kind=kind, ms=ms, code=code)

    def clear(self) -> None:
        """Reset the device: no fault, nothing set, nothing written."""
        self._ask(clear=self.name)

    def _seen(self) -> dict[str, Any]:
        return self._ask(get=self.name)

    def _ask(self, **asked: Any) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(self._control_socket))
            connection.sendall(json.dumps(asked).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        if "error" in answer:
            raise ValueError(f"{self.name}: {answer['error'].partition(': ')[2]}")
        return answer

    def __repr__(self) -> str:
        return f"FieldDevice({self.name!r})"


class Field(Mapping[str, FieldDevice]):
    """The devices of a site, by name."""

    def __init__(self, control_socket: Path, names: list[str]) -> None:
        self._devices = {name: FieldDevice(control_socket, name) for name in names}

    def __getitem__(self, name: str) -> FieldDevice:
        if name not in self._devices:
            raise KeyError(_missing(f"the site has no device {name}", name, self._devices))
        return self._devices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def clear(self) -> None:
        """Reset every device."""
        for device in self._devices.values():
            device.clear()


def _missing(what: str, name: str, known: Mapping[str, object]) -> str:
    near = ", ".join(nearest(name, known))
    return f"{what}{f'; near it: {near}' if near else ''}"
