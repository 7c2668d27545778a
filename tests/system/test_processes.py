"""Processes die and come back: what clients see meanwhile, and what is left when all is over."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bus import quality
from tests.support import strangers
from tests.support.running import ROOT, Gateway, running, until

pytestmark = pytest.mark.system
STALE_AFTER_S = 3.0
POINT = "DEMOFEED2/MMXU1$MX$TotW"


def connect(gateway: Gateway) -> Any:
    return strangers.module("open61850.mms.client").MmsClient.connect("127.0.0.1", gateway.mms_port)


def is_good(client: Any, name: str) -> bool:
    octets = client.read(f"{name}$q").value
    raw = octets[0] if isinstance(octets, tuple) else octets
    return quality.is_good(int.from_bytes(bytes(raw)[:2], "big") >> 3)


def value_of(client: Any) -> float:
    return float(client.read(f"{POINT}$mag$f").value)


def gone(pid: int) -> Callable[[], bool]:
    return lambda: not Path(f"/proc/{pid}").exists()


@pytest.mark.conformance("ASS-N5", "GW-2", "GW-3")
def test_a_killed_worker_makes_its_points_bad_in_time_and_comes_back_while_clients_stay(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--mms-port", "0", "--http-port", "0") as gateway:
        client = connect(gateway)
        until(lambda: is_good(client, POINT), 5)
        os.kill(gateway.children()["acquisition rs485-1"], signal.SIGKILL)
        killed = time.monotonic()
        gateway.simulator(set="feeder2", values={"total_active_power": 4321.0})
        while (left := 5 - (time.monotonic() - killed)) > 0:
            good, value = is_good(client, POINT), value_of(client)
            if good and value == 4321.0:
                break
            assert not good or time.monotonic() - killed < STALE_AFTER_S, "good past its stale_after"
        assert left > 0, "not back, good and current within 5 s"
        assert is_good(client, "DEMOMAIN/MMXU1$MX$TotW")

        os.kill(gateway.children()["mms_server DEMO"], signal.SIGKILL)
        workers = {name: pid for name, pid in gateway.children().items() if name.startswith("acquisition ")}

        def back() -> bool:
            try:
                fresh = connect(gateway)
            except Exception:  # noqa: BLE001 - whatever the stranger raises while the port is closed
                return False
            try:
                return is_good(fresh, POINT) and value_of(fresh) == 4321.0
            finally:
                fresh.close()

        until(back, 8)
        assert {name: pid for name, pid in gateway.children().items() if name.startswith("acquisition ")} == workers
        client.close()


def test_a_dead_meter_is_invalid_and_its_neighbour_on_the_line_is_not(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--mms-port", "0", "--http-port", "0") as gateway:
        client = connect(gateway)
        until(lambda: is_good(client, POINT), 5)
        gateway.simulator(fault="feeder1", kind="silent")
        until(lambda: not is_good(client, "DEMOFEED1/MMXU1$MX$TotW"), 8)
        assert is_good(client, POINT)
        until(lambda: client.read("DEMOFEED1/LPHD1$ST$PhyHealth$stVal").value == 3, 8)
        gateway.simulator(fault="feeder1", kind=None)
        until(lambda: is_good(client, "DEMOFEED1/MMXU1$MX$TotW"), 31)
        client.close()


def test_the_end_leaves_no_process_no_socket_and_no_folder(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--mms-port", "0", "--http-port", "0") as gateway:
        children = gateway.children()
        assert sorted(children) == [
            "acquisition rs485-1",
            "acquisition scale-1",
            "acquisition tcp",
            "acquisition.simulate",
            "mms_gateway.status",
            "mms_server DEMO",
        ]
        gateway.process.send_signal(signal.SIGINT)
        started = time.monotonic()
        assert gateway.process.wait(10) == 0
        assert time.monotonic() - started < 5
    for pid in children.values():
        assert gone(pid)()
    assert [path.name for path in tmp_path.iterdir()] == ["stderr.txt"]


def test_json_logs_of_all_processes_name_their_ied_their_worker_and_their_line(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--mms-port", "0", "--http-port", "0", "--log-format", "json") as gateway:
        client = connect(gateway)
        until(lambda: is_good(client, POINT), 5)
        until(lambda: "device feeder2: online" in gateway.log.read_text(), 5)
        client.close()
        until(lambda: "association ended" in gateway.log.read_text(), 5)
        lines = gateway.log.read_text().splitlines()
    logged = [json.loads(line) for line in lines if line.startswith("{")]  # the demo says in words where it simulates
    (online,) = [one for one in logged if one["event"] == "device feeder2: online"]
    expected = {"process": "worker.rs485-1", "worker": "rs485-1", "line": "rs485-1", "device": "feeder2"}
    assert {key: online[key] for key in expected} == expected
    (ended,) = [one for one in logged if one["event"].startswith("association ended")]
    assert (ended["process"], ended["ied"], ended["assoc"]) == ("mms.DEMO", "DEMO", 1)
    assert ended["peer"].startswith("127.0.0.1:")


def test_children_do_not_outlive_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    with running(tmp_path, "demo", "--mms-port", "0", "--http-port", "0", exit_code=-signal.SIGKILL) as gateway:
        children = gateway.children()
        gateway.process.kill()
        gateway.process.wait(5)
        for pid in children.values():
            until(gone(pid), 5)


def test_a_taken_port_is_a_diagnostic_with_what_helps_before_anything_starts(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "hw_configs/demo/demo.icd", "--port", "0") as server:
        done = subprocess.run(
            [sys.executable, "-m", "mms_gateway", "run", "hw_configs/demo", "--mms-port", f"DEMO={server.mms_port}"],
            capture_output=True, text=True, cwd=ROOT, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "error[port]: IED DEMO cannot listen on 127.0.0.1:" in done.stderr
        assert f"`ss -ltnp 'sport = :{server.mms_port}'` shows who has it" in done.stderr


def test_serve_takes_any_file_and_a_password(tmp_path: Path) -> None:
    with running(tmp_path, "serve", "tests/cases/scl/oddities.icd", "--port", "0", "--password", "x") as server:
        assert server.facts["ied"] == "ODD"
        with pytest.raises(Exception, match=r"(?i)reject|associat|refus|clos"):
            connect(server)
