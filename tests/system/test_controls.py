"""Controls of the demo: through strangers' clients, over the bus, to the coil and back; and when the field does not."""

import asyncio
import contextlib
import json
import os
import queue
import random
import signal
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import strangers
from tests.support.client import Client
from tests.support.engine_client import read_request, variable
from tests.support.running import Gateway, running, until
from tests.support.wire_data import bits, boolean, integer, octets, single, structure, unsigned

pytestmark = pytest.mark.system
LD = "DEMOIO"
KILLED_CONTROLS = 30
TIME = b"\x91\x08" + bytes(8)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running(tmp_path_factory.mktemp("c"), "demo", "--mms-port", "0", "--http-port", "0") as one:
        until(lambda: one.simulator(get="io1")["values"]["relay1"] is False, 10)
        yield one


def relay(gateway: Gateway, number: int) -> Any:
    return gateway.simulator(get="io1")["values"][f"relay{number}"]


def oper(value: bytes, number: int = 1) -> bytes:
    origin = structure(integer(3), octets(b""))
    return structure(value, origin, unsigned(number), TIME, boolean(False), bits("00"))


def peer_of(gateway: Gateway) -> Client:
    client = Client(gateway.mms_port, timeout_s=10)
    assert client.associate()[0] == 0x0E
    return client


@pytest.mark.conformance("DON-1", "SBN-1", "DOE-1", "SBE-1", "GW-5")
def test_a_rust_client_operates_each_control_model_and_the_coil_follows(gateway: Gateway) -> None:
    stranger = strangers.module("iec61850")
    models = stranger.ControlModel
    objects = {1: models.DIRECT_NORMAL, 2: models.SBO_NORMAL, 3: models.DIRECT_ENHANCED, 4: models.SBO_ENHANCED}

    async def operate(value: bool) -> None:
        connection = await stranger.IedConnection.connect(f"127.0.0.1:{gateway.mms_port}")
        for number, model in objects.items():
            reference = f"DEMOIO/GGIO1.SPCSO{number}"
            control = connection.create_control_object(reference, model)
            if model is models.SBO_NORMAL:
                assert await control.select()
            if model is models.SBO_ENHANCED:
                assert (await control.select_with_value(value)).success
            assert (await control.operate(value)).success
            assert relay(gateway, number) is value
            assert await connection.read_bool(f"{reference}.stVal", stranger.FC.ST) is value
        await connection.disconnect()

    asyncio.run(operate(True))
    asyncio.run(operate(False))


@pytest.mark.conformance("DOE-1", "SBE-1")
def test_a_python_client_gets_its_command_termination(gateway: Gateway) -> None:
    mms = strangers.module("open61850.mms")
    control = strangers.module("open61850.mms.control")
    with mms.MmsClient.connect("127.0.0.1", gateway.mms_port) as client:
        for number in (1, 2, 3, 4):
            control.operate(client, mms.ObjectName(f"GGIO1$CO$SPCSO{number}", LD), True)
            assert relay(gateway, number) is True


@pytest.mark.conformance("GW-5")
def test_a_setpoint_is_written_in_the_points_unit_and_proven(gateway: Gateway) -> None:
    client = peer_of(gateway)
    assert client.write(LD, ("GGIO1$CO$AnOut1$Oper", oper(structure(single(42_000.0))))) == ["success"]
    assert gateway.simulator(get="io1")["values"]["setpoint"] == 42.0
    assert client.write(LD, ("GGIO1$CO$AnOut1$Oper", oper(structure(single(-1.0))))) == [3]
    assert gateway.simulator(get="io1")["values"]["setpoint"] == 42.0
    client.close()


@pytest.mark.conformance("GW-5", "CT-14")
def test_a_device_that_says_no_or_nothing_is_a_negative_answer_and_nothing_is_written_later(gateway: Gateway) -> None:
    client = peer_of(gateway)
    before = relay(gateway, 1)
    for kind in ("exception", "silent"):
        gateway.simulator(fault="io1", kind=kind)
        assert client.write(LD, ("GGIO1$CO$SPCSO1$Oper", oper(boolean(not before)))) == [3]
    gateway.simulator(fault="io1", kind=None)
    with_status = f"http://{gateway.facts['http']}/api/status"

    def online() -> bool:
        from urllib.request import urlopen

        with urlopen(with_status, timeout=5) as answer:
            return any(one["device"] == "io1" and one["online"] for one in json.load(answer)["devices"])

    until(online, 31)
    assert relay(gateway, 1) is before
    client.close()


@pytest.mark.conformance("CT-7")
def test_an_interlock_of_the_mapping_blocks_the_breaker(gateway: Gateway) -> None:
    client, watcher = peer_of(gateway), peer_of(gateway)
    status = read_request(variable(LD, "GGIO1$ST$SPCSO4$stVal"))
    for locked in (True, False):
        value = oper(boolean(locked))
        until(lambda value=value: client.write(LD, ("GGIO1$CO$SPCSO4$SBOw", value)) == ["success"], 5)  # type: ignore[misc]
        assert client.write(LD, ("GGIO1$CO$SPCSO4$Oper", value)) == ["success"]
        until(lambda locked=locked: relay(gateway, 4) is locked, 5)  # type: ignore[misc]
        until(lambda locked=locked: watcher.ask(0xA4, status).endswith(bytes((0x83, 1, locked))), 5)  # type: ignore[misc]
        breaker = oper(boolean(True))
        answers = [client.write(LD, (f"CSWI1$CO$Pos${service}", breaker)) for service in ("SBOw", "Oper")]
        assert answers == ([[3], [3]] if locked else [["success"], ["success"]])
        assert gateway.simulator(get="io1")["values"]["breaker"] is not locked
    client.close()
    watcher.close()


def test_commands_go_ahead_of_polls_one_after_the_other(gateway: Gateway) -> None:
    client, times = peer_of(gateway), []
    for number in range(20):
        started = time.monotonic()
        assert client.write(LD, ("GGIO1$CO$SPCSO1$Oper", oper(boolean(number % 2 == 0)))) == ["success"]
        assert relay(gateway, 1) is (number % 2 == 0)
        times.append(time.monotonic() - started)
    print(f"median {sorted(times)[len(times) // 2] * 1000:.0f} ms")
    client.close()


@pytest.mark.conformance("GW-42")
def test_a_worker_killed_at_any_moment_writes_nothing_twice_and_nothing_late(tmp_path: Path) -> None:
    chance = random.Random(850)
    with running(tmp_path, "demo", "--mms-port", "0", "--http-port", "0") as own:
        client, answers = peer_of(own), dict[int, object]()
        before_each: dict[int, int] = {}
        for number in range(1, KILLED_CONTROLS + 1):
            if chance.random() < 0.2:
                killer = threading.Timer(chance.uniform(0, 0.05), kill, (own.children().get("acquisition tcp"),))
                killer.start()
            value = oper(structure(single(1000.0 * number)), number % 100)
            (answers[number],) = client.write(LD, ("GGIO1$CO$AnOut1$Oper", value))
            before_each[number] = len(setpoints(own))
        until(lambda: client.write(LD, ("GGIO1$CO$AnOut1$Oper", oper(structure(single(1.0))))) == ["success"], 30)
        written = setpoints(own)
        counted = [written.count(float(number)) for number in answers]
        assert max(counted) == 1
        assert all(count == 1 for number, count in zip(answers, counted, strict=True) if answers[number] == "success")
        for number in answers:
            late = [value for value in written[before_each[number] :] if value == float(number)]
            assert late == []
        assert {"success"} < set(answers.values())
        client.close()


def kill(pid: int | None) -> None:
    """Kill a worker, unless it is on its way back."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def setpoints(gateway: Gateway) -> list[float]:
    """Every setpoint, in kW, that a master has written."""
    words = [words for table, _, words in gateway.simulator(get="io1")["writes"] if table == "holding"]
    return [struct.unpack(">f", struct.pack(">HH", *pair))[0] for pair in words]


def test_every_command_leaves_one_audit_line(tmp_path: Path, gateway: Gateway) -> None:
    client = peer_of(gateway)
    lines = gateway.log.read_text().count("mms.command")
    assert client.write(LD, ("GGIO1$CO$SPCSO1$Oper", oper(boolean(True), 77))) == ["success"]
    until(lambda: "ctlNum=77" in gateway.log.read_text(), 5)
    assert gateway.log.read_text().count("mms.command") == lines + 1
    client.close()


def test_serve_simulates_a_process_for_every_control(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "hw_configs/demo/demo.icd", "--port", "0", "--simulate-process") as server:
        client = peer_of(server)
        assert client.write(LD, ("GGIO1$CO$SPCSO1$Oper", oper(boolean(True)))) == ["success"]
        sbo = oper(boolean(True))
        assert client.write(LD, ("CSWI1$CO$Pos$SBOw", sbo)) == ["success"]
        assert client.write(LD, ("CSWI1$CO$Pos$Oper", sbo)) == ["success"]
        terminated: queue.Queue[bytes] = queue.Queue()
        terminated.put(client.tsdu())
        assert b"CSWI1$CO$Pos$Oper" in terminated.get()
        answer = client.ask(0xA4, read_request(variable(LD, "CSWI1$ST$Pos$stVal")))
        assert answer.endswith(bytes.fromhex("84020680"))
        client.close()
