"""State folders of other versions under the real commands: an older one is taken, a newer one is refused untouched."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.endpoint import Endpoint
from bus.state_schema import FILE, SCHEMA
from mapping import plan as plans
from mms_gateway.runtime.preflight import fixed
from mms_gateway.testing.running import simulated
from mms_server.client.client import MmsClient
from mms_server.network.client_connection import connect
from mms_server.redundancy.messages import Begin, Role, Status
from mms_server.redundancy.sockets import PairLink
from tests.support.client import Client
from tests.support.running import ROOT, Gateway, running, until
from tests.support.sites import compile_folder
from tests.support.state import SITE, kept, number_folder, number_of_store, number_store, snapshot
from tests.support.wire_data import boolean, octets

pytestmark = pytest.mark.system
LD, BRCB = "CABLD0", "LLN0$BR$brcbEvents01"
NEWER = SCHEMA + 1
HAD = 1883294327217586184  # the EntryID of the third entry that the first block of `serve` and `killed` has


# ---------------------------------------------------------------------- an older one


@contextmanager
def run_on(state: Path, folder: Path) -> Iterator[Gateway]:
    """`run` of the kept folders' site with a simulated field, on `state`."""
    (folder / "field").mkdir()
    with simulated(SITE, folder / "field") as field:
        ports = ("--mms-port", "CAB=0", "--lines", str(field.lines))
        with running(folder, "run", str(SITE), *ports, "--state-dir", str(state)) as gateway:
            yield gateway


@contextmanager
def client_of(gateway: Gateway) -> Iterator[MmsClient]:
    client = connect("127.0.0.1", gateway.mms_port)
    try:
        yield client
    finally:
        client.close()


def values(client: MmsClient) -> list[object]:
    return [
        client.read(one)
        for one in (
            "LD0/GAPC1.OpDlTmms.setVal", "LD0/MMXU1.TotVAr.db [CF]", "LD0/MMXU1.TotVAr.rangeC.hLim.f [CF]",
            "LD0/LLN0.NamPlt.d [DC]", "LD0/LLN0.SGCB.ActSG [SP]", "LD0/GAPC1.StrVal.setMag.f [SG]",
            "LD0/LLN0.brcbEvents01.RptID [BR]", "LD0/LLN0.logEvents.TrgOps [LG]",
        )
    ]  # fmt: skip


KEPT = [750, 500, 1234.5, "commissioned", 2, 12500.0, "cabinet", 0b011000]


def test_run_takes_a_folder_of_the_first_version_and_gives_it_a_number(tmp_path: Path) -> None:
    state = kept("run", tmp_path)
    audit = state / "audit" / "CAB" / "audit.jsonl"
    before = audit.read_text(encoding="utf-8")
    planned = _command("plan", str(SITE), "--state-dir", str(state))
    assert "meter1           holding 40..41             exception 2" in planned.stdout
    with run_on(state, tmp_path) as gateway, client_of(gateway) as client:
        assert values(client) == KEPT
        assert client.read("LD0/MMXU1.TotVAr.q") != 0  # registers that are refused are not asked for at once
    assert "forgotten" not in gateway.log.read_text()
    assert audit.read_text(encoding="utf-8").startswith(before)
    assert json.loads((state / FILE).read_text(encoding="utf-8"))["schema"] == SCHEMA
    assert number_of_store(state / "CAB.sqlite") == SCHEMA


@pytest.mark.parametrize(
    ("name", "setting", "missed"), [("serve", 750, [187, 190]), ("killed", 900, [187, 190, 65714])]
)
def test_serve_goes_on_with_the_entries_of_the_first_version(
    tmp_path: Path, name: str, setting: int, missed: list[int]
) -> None:
    state = kept(name, tmp_path)
    scl = str(SITE / "cabinet.icd")
    with running(tmp_path, "serve", scl, "--port", "0", "--state-dir", str(state)) as server:
        with client_of(server) as client:
            assert values(client) == [setting, *KEPT[1:]]
        reader = Client(server.mms_port)
        reader.associate()
        pairs = [("EntryID", octets(HAD.to_bytes(8, "big"))), ("RptEna", boolean(True))]
        assert reader.write(LD, *((f"{BRCB}${one}", data) for one, data in pairs)) == ["success"] * 2
        reports = [reader.report() for _ in missed]
        reader.close()
    ids = [int.from_bytes(one.entry_id or b"", "big") for one in reports if one is not None]
    assert [one - HAD + 184 for one in ids] == missed
    assert number_of_store(state / "CAB.sqlite") == SCHEMA


# ---------------------------------------------------------------------- a newer one


def _command(*words: str, module: str = "mms_gateway") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def by_folder(state: Path) -> None:
    number_folder(state, NEWER, "9.8.7")


def by_store(state: Path) -> None:
    number_store(state / "CAB.sqlite", NEWER)


def by_store_of_another(state: Path) -> None:
    shutil.copy(state / "CAB.sqlite", state / "OTHER.sqlite")
    number_store(state / "OTHER.sqlite", NEWER)


COMMANDS = {
    "run": ("run", str(SITE), "--mms-port", "CAB=0", "--seconds", "5", "--state-dir"),
    "simulate": ("simulate", str(SITE), "--seconds", "5", "--state-dir"),
    "reload": ("reload", str(SITE), "--state-dir"),
    "reset": ("reset",),
    "serve": ("serve", str(SITE / "cabinet.icd"), "--port", "0", "--seconds", "5", "--state-dir"),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("numbered", [by_folder, by_store, by_store_of_another])
def test_commands_refuse_state_of_a_newer_program_untouched(
    tmp_path: Path, name: str, numbered: Callable[[Path], None]
) -> None:
    state = kept("run", tmp_path)
    numbered(state)
    before = snapshot(state)
    ended = _command(*COMMANDS[name], str(state))
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("error[state]") == 1
    assert len(ended.stderr.splitlines()) == 2
    assert f"has schema number {NEWER}" in ended.stderr
    assert "hint: start the newer version again" in ended.stderr
    assert snapshot(state) == before


@pytest.mark.parametrize("module", ["mms_server", "acquisition"])
@pytest.mark.parametrize("numbered", [by_folder, by_store, by_store_of_another])
def test_processes_started_by_hand_refuse_it_too(tmp_path: Path, module: str, numbered: Callable[[Path], None]) -> None:
    state = kept("run", tmp_path)
    numbered(state)
    plan = compile_folder(SITE).plan
    assert plan is not None
    plans.save(plan, tmp_path / "site.plan")
    before = snapshot(state)
    own = ("--ied", "CAB", "--listen", "127.0.0.1:0") if module == "mms_server" else ("--worker", "rs485-1")
    common = ("--plan", str(tmp_path / "site.plan"), "--run-dir", str(tmp_path), "--state-dir", str(state))
    ended = _command(*common, *own, module=module)
    assert ended.returncode == 2
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert f"has schema number {NEWER}" in line
    assert snapshot(state) == before


def test_a_running_gateway_whose_folder_has_become_newer_goes_on_and_takes_no_other_site(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with run_on(state, tmp_path) as gateway:
        number_folder(state, NEWER)
        assert _command("reload", str(SITE), "--state-dir", str(state)).returncode == 2
        os.kill(gateway.process.pid, signal.SIGHUP)
        until(lambda: "the changed site is refused" in gateway.log.read_text(), 20)
        assert gateway.log.read_text().count(f"has schema number {NEWER}") == 1
        with client_of(gateway) as client:
            assert client.read("LD0/LLN0.NamPlt.d [DC]") == "as delivered"


def test_a_standby_refuses_the_store_of_a_newer_gateway_with_one_line(tmp_path: Path) -> None:
    state = kept("run", tmp_path)
    mine, other = fixed(Endpoint("127.0.0.1", 0)), fixed(Endpoint("127.0.0.1", 0))
    log = tmp_path / "standby.txt"
    words = ("run", str(SITE), "--mms-port", "CAB=0", "--state-dir", str(state), "--standby")
    pair = ("--peer", str(other), "--peer-listen", str(mine), "--takeover-after", "30")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "mms_gateway", *words, *pair],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        before = snapshot(state)

        async def speak() -> None:
            link = PairLink(mine, lambda _message: None)
            for turn in range(200):
                link.send(Status(str(other), Role.ACTIVE, 1 << 60, first=True))
                if link.send(Begin("CAB", turn + 1, NEWER)) and f"schema number {NEWER}" in log.read_text():
                    break
                await asyncio.sleep(0.1)
            for turn in range(300, 310):
                link.send(Begin("CAB", turn, NEWER))
                await asyncio.sleep(0.1)
            link.close()

        asyncio.run(speak())
        assert snapshot(state) == before
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
        assert process.returncode == 0
        assert said == ""
        (line,) = [one for one in log.read_text().splitlines() if "schema number" in one]
        assert "cannot keep a copy of CAB: the store of CAB that the other gateway sends" in line
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
