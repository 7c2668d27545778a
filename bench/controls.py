"""Controls on their way to the field: time until the coil is written, effects of a silent unit and of killed workers.

    python -m bench.controls [--baudrate 9600] [--controls 100] [--killed 200]

One RTU unit at the speed of a real line, polled back to back (125 registers, and as many again); the real processes of
`mms-gateway run`; controls through the tests' own client. Prints milliseconds from Oper to the coil, and counts.
"""

import argparse
import contextlib
import os
import random
import signal
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.paced_line import PacedUnit
from mms_server.mms.add_cause import AddCause
from tests.support import mms_oracle
from tests.support.client import Client
from tests.support.engine_client import bare
from tests.support.running import ROOT, Gateway, running, until
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, unsigned

LD: Final = "DEMOIO"
SWITCH, SETPOINT = "GGIO1$CO$SPCSO1$Oper", "GGIO1$CO$AnOut1$Oper"
REGISTERS: Final = 250
SETPOINT_AT: Final = 1000
TIME: Final = b"\x91\x08" + bytes(8)
MAP: Final = """points:
  IO/GGIO1.SPCSO1: {from: unit.relay, command: unit.relay}
  IO/GGIO1.AnOut1: {from: unit.setpoint, command: unit.setpoint}
"""


def site(folder: Path, port: str, baudrate: int) -> Path:
    """A site with the one unit, all of whose registers are due all the time."""
    points = "".join(f"      value{one}: {{read: holding {one} uint16}}\n" for one in range(REGISTERS))
    (folder / "site.yaml").write_text(
        f"""site: bench
ieds:
  DEMO: {{scl: {ROOT}/hw_configs/demo/demo.icd, map: map.yaml, listen: "127.0.0.1:10102"}}
lines:
  line: {{protocol: modbus-rtu, port: {port}, baudrate: {baudrate}}}
devices:
  unit:
    line: line
    unit: 1
    every: 100ms
    points:
{points}      relay: {{read: coil 0 bool, write: coil 0 bool}}
      setpoint: {{read: holding {SETPOINT_AT} float32, write: holding {SETPOINT_AT} float32, unit: W}}
"""
    )
    (folder / "map.yaml").write_text(MAP)
    return folder / "site.yaml"


def oper(value: bytes, number: int) -> bytes:
    """The Data of an Oper."""
    origin = structure(integer(3), octets(b"bench"))
    return structure(value, origin, unsigned(number % 100), TIME, boolean(False), bits("00"))


def operate(client: Client, item: str, value: bytes, number: int) -> tuple[Any, AddCause | None]:
    """Result of the Write, and the AddCause of a LastApplError that came before it."""
    client.early.clear()
    (answer,) = client.write(LD, (item, oper(value, number)))
    causes = [bare(mms_oracle.decode(pdu)["unconfirmed"]["report"]["results"][0]["success"])[4] for pdu in client.early]
    return answer, AddCause(causes[0]) if causes else None


def latencies(unit: PacedUnit, client: Client, count: int) -> tuple[list[float], float]:
    """Milliseconds from Oper to the coil, sorted, and exchanges a second meanwhile."""
    chance = random.Random(9600)
    found: list[float] = []
    began, exchanges = time.monotonic(), unit.exchanges
    for number in range(count):
        time.sleep(chance.uniform(0.1, 0.6))
        sent, before = time.monotonic(), len(unit.written)
        answer, cause = operate(client, SWITCH, boolean(number % 2 == 0), number)
        if answer != "success" or len(unit.written) != before + 1:
            raise RuntimeError(f"control {number}: {answer} {cause}, {len(unit.written) - before} writes")
        found.append((unit.written[-1].at_s - sent) * 1000)
    return sorted(found), (unit.exchanges - exchanges) / (time.monotonic() - began)


def silence(unit: PacedUnit, client: Client) -> str:
    """Responses to commands for a unit that is silent, and the writes once it is back."""
    before, unit.silent = len(unit.written), True
    answers = [operate(client, SWITCH, boolean(True), number) for number in range(3)]
    unit.silent = False
    seen = unit.exchanges
    until(lambda: unit.exchanges > seen + 5, 60)
    said = ", ".join(f"{answer}/{cause.name.lower() if cause else '-'}" for answer, cause in answers)
    return f"{said}; writes once it is back: {len(unit.written) - before}"


def killed(unit: PacedUnit, gateway: Gateway, client: Client, count: int) -> str:
    """Setpoints, each of another value, with the worker killed at random moments."""
    chance = random.Random(850)
    answers: dict[int, Any] = {}
    end_of: dict[int, int] = {}
    kills, unit.written[:] = 0, []
    for number in range(1, count + 1):
        if chance.random() < 0.15:
            pid = gateway.children().get("acquisition line")
            kills += pid is not None
            threading.Timer(chance.uniform(0, 0.4), _kill, (pid,)).start()
        answers[number], _ = operate(client, SETPOINT, structure(single(float(number))), number)
        end_of[number] = len(unit.written)
        if answers[number] != "success":
            time.sleep(chance.uniform(0, 2))
    until(lambda: operate(client, SETPOINT, structure(single(0.0)), 0)[0] == "success", 60)
    values = [_value(one.words) for one in unit.written if one.address == SETPOINT_AT]
    double = sum(values.count(float(number)) > 1 for number in answers)
    lost = sum(answer == "success" and float(number) not in values for number, answer in answers.items())
    late = sum(float(number) in [_value(one.words) for one in unit.written[end_of[number] :]] for number in answers)
    done = sum(answer == "success" for answer in answers.values())
    return (
        f"{count} controls, {kills} kills: {done} done, {double} double, {late} late, {lost} answered but not written"
    )


def _value(words: tuple[int, ...]) -> float | None:
    return struct.unpack(">f", struct.pack(">HH", *words))[0] if len(words) == 2 else None


def _kill(pid: int | None) -> None:
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def main() -> int:
    """Run all three and print what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--baudrate", type=int, default=9600)
    parser.add_argument("--controls", type=int, default=100)
    parser.add_argument("--killed", type=int, default=200)
    given = parser.parse_args()
    say: Callable[[str], object] = lambda text: sys.stdout.write(text + "\n") and sys.stdout.flush()  # noqa: E731
    unit = PacedUnit(given.baudrate)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = site(folder, unit.path, given.baudrate)
        with running(folder, "run", str(path), "--mms-port", "DEMO=0", "--state-dir", str(folder / "state")) as gateway:
            client = Client(gateway.mms_port, timeout_s=30)
            client.associate()
            until(lambda: operate(client, SWITCH, boolean(False), 0)[0] == "success", 30)
            ms, rate = latencies(unit, client, given.controls)
            spread = f"median {_percentile(ms, 0.5):.0f} ms, p99 {_percentile(ms, 0.99):.0f} ms, max {ms[-1]:.0f} ms"
            say(f"{given.baudrate} baud, {rate:.1f} exchanges/s, {len(ms)} controls, Oper to coil: {spread}")
            say(f"silent unit: {silence(unit, client)}")
            say(f"killed worker: {killed(unit, gateway, client, given.killed)}")
            client.close()
    unit.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
