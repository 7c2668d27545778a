"""A running site is edited: what stays is not touched, what is wrong is refused, what is new is there. Nobody is cut off."""

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bus import quality
from tests.support.client import Client
from tests.support.engine_client import read_request, variable
from tests.support.running import ROOT, Gateway, running, until
from tests.support.sites import with_reports, write_site
from tests.support.wire_data import bits, boolean, unsigned

pytestmark = pytest.mark.system
LD = "IOLD0"
ABORT = 0x19  # the session's
SITE = """\
site: bench
ieds:
  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}
lines:
  lan: {protocol: modbus-tcp, host: 127.0.0.1, port: 1502}
devices:
  io1:
    line: lan
    unit: 2
    points:
      temperature: {read: holding 100 int16, scale: 0.1, unit: degC}
      level:       {read: holding 110 int16}
"""
ADDED = """\
  io2:
    line: hall
    unit: 3
    points:
      level: {read: holding 110 int16}
"""
HALL = "  hall: {protocol: modbus-tcp, host: 127.0.0.1, port: 1503}\n"
MAP = """\
points:
  LD0/GGIO1.AnIn1: io1.temperature
  LD0/GGIO1.AnIn3: io1.level
unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]
"""


@dataclass
class Site:
    """The folder of a running site, and a client whose block is enabled."""

    folder: Path
    gateway: Gateway
    client: Client

    def edit(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text, encoding="utf-8")

    def reload(self) -> tuple[int, list[str]]:
        """Exit code of `mms-gateway reload`, and what it prints."""
        command = [sys.executable, "-m", "mms_gateway", "reload", str(self.folder)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def hang_up(self) -> None:
        """Send SIGHUP, as systemd does to reload."""
        os.kill(self.gateway.process.pid, signal.SIGHUP)

    def logged(self) -> str:
        return self.gateway.log.read_text(encoding="utf-8")

    def read(self, item: str) -> bytes:
        return self.client.ask(0xA4, read_request(variable(LD, f"GGIO1$MX${item}")))

    def value(self, name: str) -> float:
        return float(struct.unpack(">f", self.read(f"{name}$mag$f")[-4:])[0])

    def is_good(self, name: str) -> bool:
        return quality.is_good(int.from_bytes(self.read(f"{name}$q")[-2:], "big") >> 3)


@contextmanager
def simulated(folder: Path) -> Iterator[str]:
    """The lines of the site in `folder`, answered until the block ends: the file that says where."""
    command = [sys.executable, "-m", "mms_gateway", "simulate", str(folder)]
    environment = os.environ | {"TMPDIR": str(folder)}
    with (folder / "simulate.txt").open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env=environment)
    try:
        assert process.stdout is not None
        assert {process.stdout.readline().split()[1] for _ in range(2)} == {"lan", "hall"}
        yield str(folder / "state" / "simulated.yaml")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    write_site(folder, MAP, SITE.replace("devices:\n", f"{HALL}devices:\n") + ADDED)
    (folder / "io.icd").write_text(with_reports("AnIn1", "AnIn2", "AnIn3"), encoding="utf-8")
    with simulated(folder) as lines:
        (folder / "site.yaml").write_text(SITE, encoding="utf-8")
        with running(tmp_path, "run", str(folder), "--lines", lines, "--mms-port", "IO=0") as gateway:
            client = Client(gateway.mms_port, timeout_s=20)
            assert client.associate()[0] == 0x0E
            one = Site(folder, gateway, client)
            until(lambda: one.is_good("AnIn1") and one.is_good("AnIn3"), 10, gateway.log.read_text)
            pairs = {"TrgOps": bits("001000"), "OptFlds": bits("0001000000"), "RptEna": boolean(True)}
            enabled = client.write(LD, *((f"LLN0$RP$urcb01${key}", data) for key, data in pairs.items()))
            assert enabled == ["success"] * 3
            yield one
            client.close()


@pytest.mark.conformance("GW-8")
def test_a_changed_map_is_taken_while_clients_and_their_blocks_stay_and_a_broken_one_is_refused(site: Site) -> None:
    processes = site.gateway.children()
    raw = site.value("AnIn3")
    site.edit("map.yaml", MAP.replace("io1.level", "{from: io1.level, scale: 100}\n  LD0/GGIO1.AnIn2: io1.level"))
    code, texts = site.reload()
    assert (code, texts[:2]) == (0, ["IED IO: goes on, 1 object added, 1 object changed", "worker tcp: kept"]), texts
    assert site.gateway.children() == processes
    report = site.client.report()
    assert report is not None
    assert (report.inclusion, report.reasons) == ("010", ["001000"])  # AnIn2 is fed now; AnIn1 was never invalid
    assert (site.is_good("AnIn1"), site.is_good("AnIn2"), site.is_good("AnIn3")) == (True, True, True)
    assert site.value("AnIn3") == pytest.approx(100 * raw, rel=0.2)

    site.edit("map.yaml", MAP.replace("io1.level", "io1.levle"))
    code, texts = site.reload()
    path = site.folder / "map.yaml"
    assert code == 2
    assert texts[0] == f"{path}:3:24: error[unknown-point]: no point `levle` of device `io1`"
    site.hang_up()
    until(lambda: "the changed site is refused: the old configuration stays" in site.logged(), 10)
    assert f"warning gateway        gateway.reload     {texts[0]}\n" in site.logged()
    assert site.gateway.children() == processes
    assert site.is_good("AnIn2")


@pytest.mark.conformance("GW-8")
def test_no_nonsense_in_a_file_takes_anything_away_from_what_runs(site: Site) -> None:
    processes = site.gateway.children()
    tag = "tag:yaml.org,2002:python/object/apply:os.abort"
    for number, (file, text, expected) in enumerate(
        (
            ("map.yaml", "points: [\n", "2:1: error[yaml-syntax]: "),
            ("map.yaml", "points: &a\n  x: *a\n", "2:6: error[yaml-syntax]: no anchor `a` before"),
            ("map.yaml", f"{MAP}x: !!{tag[18:]} []\n", f"5:4: error[yaml-tag]: the tag `{tag}`, expected none"),
            ("map.yaml", f"{MAP}{'#' * (100 << 20)}", "1:1: error[file-too-large]: over 16777216 octets"),
            (
                "site.yaml",
                SITE.replace("io.icd", "no.icd"),
                f"3:13: error[no-file]: no SCL file `{site.folder}/no.icd`",
            ),
        ),
        start=1,
    ):
        before = (site.folder / file).read_text(encoding="utf-8")
        site.edit(file, text)
        site.hang_up()
        until(lambda: site.logged().count("the old configuration stays") == number, 20, site.logged)  # noqa: B023
        assert f"gateway.reload     {site.folder / file}:{expected}" in site.logged()
        site.edit(file, before)
        assert (site.is_good("AnIn1"), site.is_good("AnIn3")) == (True, True)
    assert site.gateway.children() == processes
    assert site.reload()[1][0] == "nothing has changed"


@pytest.mark.conformance("GW-8")
def test_a_device_on_a_new_line_restarts_its_worker_and_no_association(site: Site) -> None:
    server = site.gateway.children()["mms_server IO"]
    site.edit("map.yaml", MAP.replace("LD0/GGIO1.AnIn3", "LD0/GGIO1.AnIn2: io2.level\n  LD0/GGIO1.AnIn3"))
    site.edit("site.yaml", SITE.replace("devices:\n", f"{HALL}devices:\n") + ADDED)
    code, texts = site.reload()
    assert (code, texts[:-1]) == (0, [
        "line hall: added",
        "device io2: added",
        "IED IO: goes on, 1 object added, 1 object removed",  # PhyHealth: of one device only it is the LD's
        "worker tcp: restarted",
    ])  # fmt: skip
    until(lambda: all(site.is_good(name) for name in ("AnIn1", "AnIn2", "AnIn3")), 10, site.gateway.log.read_text)
    assert site.gateway.children()["mms_server IO"] == server
    assert site.reload() == (0, ["nothing has changed", texts[-1]])


@pytest.mark.conformance("GW-8")
def test_a_changed_model_drops_clients_and_is_served_anew_at_the_same_port(site: Site) -> None:
    worker = site.gateway.children()["acquisition tcp"]
    text = (site.folder / "io.icd").read_text(encoding="utf-8")
    site.edit("io.icd", text.replace('confRev="1"', 'confRev="2"').replace('doName="AnIn2"', 'doName="AnIn1"'))
    code, texts = site.reload()
    assert (code, texts[:2]) == (0, ["IED IO: restarted", "worker tcp: kept"]), texts
    assert (site.client.tsdu()[0], site.client.tsdu()) == (ABORT, b"")
    fresh = Client(site.gateway.mms_port, timeout_s=20)
    assert fresh.associate()[0] == 0x0E
    answer = fresh.ask(0xA4, read_request(variable(LD, "LLN0$RP$urcb01$ConfRev")))
    assert answer.endswith(unsigned(2))
    assert site.gateway.children()["acquisition tcp"] == worker
    fresh.close()


def test_where_no_gateway_runs_a_reload_says_so(tmp_path: Path) -> None:
    write_site(tmp_path, MAP, SITE)
    command = [sys.executable, "-m", "mms_gateway", "reload", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(f"mms-gateway: no gateway runs with {tmp_path / 'state'}\n")
