"""The simulated field of a test: devices by name, through the simulator's control socket.

field["feeder1"].set(voltage_l1=231.0)      in the point's unit; its registers change
field["feeder1"].fault("silent")            until `clear`, or the end of the test
field.line("rs485-1").fault("duplicate")    the same of the way between the gateway and the devices
"""

import json
import math
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from bus.messages import Value
from mapping.references import nearest

ANSWER_S: Final = 5.0
LOOK_S: Final = 0.02
WITHIN_S: Final = 2.0


class WriteRequest(NamedTuple):
    """One write request of a master: the table, the first address, the registers or coils."""

    table: str
    address: int
    values: tuple[int, ...]


class _Control:
    """The simulator's control socket, and whether a test has used it for more than looking."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.changed = False

    def look(self, device: str) -> dict[str, Any]:
        """All that the simulator shows of a device."""
        return self._ask(device, {"get": device})

    def change(self, name: str, **asked: Any) -> None:
        """Change something. Raises ValueError, which begins with `name`, if the simulator refuses it."""
        self.changed = True
        self._ask(name, asked)

    def _ask(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(self._path))
            connection.sendall(json.dumps(asked).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        if "error" in answer:
            raise ValueError(f"{name}: {answer['error'].partition(': ')[2]}")
        return answer


class FieldDevice:
    """One simulated device."""

    def __init__(self, control: _Control, name: str) -> None:
        self._control = control
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
        self._control.change(self.name, set=self.name, values=values)

    def wait_written(self, point: str, value: object, within: float = WITHIN_S) -> Value:
        """Look until a master has written `value`, in the point's unit, to `point` since the device was cleared; that value.

        `value` may be anything that compares: a `pytest.approx` too. A device that does not keep the value counts as well.
        Raises KeyError for a point that the device does not have, AssertionError after `within` seconds.
        """
        if point not in self.values:
            raise KeyError(_missing(f"{self.name} has no point {point}", point, self.values))
        until = time.monotonic() + within
        while True:
            written: list[Value] = [one for name, one in self._seen()["written"] if name == point]
            for one in written:
                if _same(one, value):
                    return one
            if time.monotonic() >= until:
                seen = f"was written as {', '.join(map(repr, written))}" if written else "was not written"
                raise AssertionError(f"{self.name}.{point} {seen} in {within:g} s, expected {value!r}")
            time.sleep(LOOK_S)

    def fault(
        self,
        kind: str | None,
        *,
        ms: int = 1000,
        code: int = 4,
        times: int = 3,
        registers: str | None = None,
        next: int | None = None,  # noqa: A002 - the key of a faults file
    ) -> None:
        """Let something be wrong: silent, late (by `ms`), exception (with `code`), crc, wrong_unit, garbage, stuck ...

        `stuck`: it confirms what is written, and nothing follows. `registers` (as `holding 100-101`): of requests for one of
        them only; `next`: of so many requests. None: nothing is wrong. Raises ValueError for another kind, or if no
        request is for these registers.
        """
        keys = {"ms": ms, "code": code, "times": times, "registers": registers, "next": next}
        self._control.change(self.name, fault=self.name, kind=kind, **keys)

    def clear(self) -> None:
        """Reset the device: no fault, nothing set, nothing written."""
        self._control.change(self.name, clear=self.name)

    def _seen(self) -> dict[str, Any]:
        return self._control.look(self.name)

    def __repr__(self) -> str:
        return f"FieldDevice({self.name!r})"


class FieldLine:
    """One simulated line: the way between the gateway and its devices."""

    def __init__(self, control: _Control, name: str) -> None:
        self._control = control
        self.name = name

    def fault(self, kind: str | None, **keys: float | str) -> None:
        """Let something be wrong with the line, beside its faults of other kinds; docs/testing.md has kinds and keys.

        None: no fault at all. Raises ValueError for another kind, another key, or a kind that this line cannot have.
        """
        self._control.change(self.name, line=self.name, kind=kind, **keys)

    def __repr__(self) -> str:
        return f"FieldLine({self.name!r})"


class Field(Mapping[str, FieldDevice]):
    """The devices of a site, by name, and its lines."""

    def __init__(self, control_socket: Path, names: Iterable[str], lines: Iterable[str] = ()) -> None:
        self._control = _Control(control_socket)
        self._devices = {name: FieldDevice(self._control, name) for name in names}
        self._lines = {name: FieldLine(self._control, name) for name in lines}

    def __getitem__(self, name: str) -> FieldDevice:
        if name not in self._devices:
            raise KeyError(_missing(f"the site has no device {name}", name, self._devices))
        return self._devices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._devices)

    def __len__(self) -> int:
        return len(self._devices)

    def line(self, name: str) -> FieldLine:
        """The line of that name. Raises KeyError."""
        if name not in self._lines:
            raise KeyError(_missing(f"the site has no line {name}", name, self._lines))
        return self._lines[name]

    def clear(self) -> None:
        """Reset every device and every line."""
        self._control.change("field", renew=True)

    def renew(self) -> bool:
        """Reset every device and every line if a test has changed something of them, or a master has; True if so."""
        if not self._control.changed and not any(device.writes for device in self.values()):
            return False
        self.clear()
        self._control.changed = False
        return True


def _same(written: Value, value: object) -> bool:
    """True if they are equal; numbers, as far as registers and scales can tell."""
    if isinstance(value, int | float) and isinstance(written, int | float) and not isinstance(value, bool):
        return math.isclose(written, value, rel_tol=1e-6)
    return written == value


def _missing(what: str, name: str, known: Mapping[str, object]) -> str:
    near = ", ".join(nearest(name, known))
    return f"{what}{f'; near it: {near}' if near else ''}"
