"""Two gateways of one site: the one that serves is killed, the other goes on, and a client with its EntryID loses nothing."""

import contextlib
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bus.endpoint import Endpoint
from mms_gateway.runtime.preflight import fixed
from tests.support.client import Client
from tests.support.engine_client import Report
from tests.support.running import ROOT, Gateway, until
from tests.support.sites import SCL, write_site
from tests.support.wire_data import bits, boolean, octets

pytestmark = pytest.mark.system
LD, BRCB = "IOLD0", "LLN0$BR$brcbEvents01"
SITE = """\
site: pair
ieds:
  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}
lines:
  lan: {protocol: modbus-tcp, host: 127.0.0.1, port: 1502}
devices:
  io1:
    line: lan
    unit: 2
    every: 100ms
    points:
      temperature: {read: holding 100 int16, scale: 0.1, unit: degC}
"""
MAP = "points: {LD0/GGIO1.AnIn1: io1.temperature}\n"
LN0 = '<LN0 lnClass="LLN0" inst="" lnType="LLN0"/>'
REPORTING = """\
<LN0 lnClass="LLN0" inst="" lnType="LLN0">
  <DataSet name="Events"><FCDA ldInst="LD0" lnClass="GGIO" lnInst="1" doName="AnIn1" fc="MX"/></DataSet>
  <ReportControl name="brcbEvents" datSet="Events" rptID="events" confRev="1" buffered="true" bufTime="0">
    <TrgOps dchg="true"/><OptFields/><RptEnabled max="1"/>
  </ReportControl>
</LN0>"""


def site_in(folder: Path) -> Path:
    folder.mkdir()
    write_site(folder, MAP, SITE)
    (folder / "io.icd").write_text(SCL.read_text(encoding="utf-8").replace(LN0, REPORTING), encoding="utf-8")
    return folder


class Command:
    """A running `mms-gateway ...`; what it says is read line by line."""

    def __init__(self, folder: Path, name: str, *arguments: str) -> None:
        self.log = folder / f"{name}.txt"
        command = [sys.executable, "-m", "mms_gateway", *arguments]
        environment = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"}
        with self.log.open("a") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT,
                env=environment | {"TMPDIR": str(folder)},
            )  # fmt: skip
        self.gateway = Gateway(self.process, {}, folder, self.log)

    def says(self, start: str) -> str:
        """The rest of the next line, which must begin so."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().rstrip()
        assert line.startswith(start), f"{line}\n{self.log.read_text()}"
        return line.removeprefix(start)

    def serves(self) -> int:
        """The port of its MMS server, once it says that it is ready."""
        return int(self.says("ready mms=").split()[0].rpartition(":")[2])

    def kill(self) -> None:
        """End it and all its children at once, as a PC that loses its power does."""
        children = self.gateway.children().values()
        self.process.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self._close()

    def end(self) -> None:
        """End it in order."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(10) == 0, self.log.read_text()
        self._close()

    def _close(self) -> None:
        assert self.process.stdout is not None
        self.process.stdout.close()


class Pair:
    """Two halves, each with a state folder of its own, before one simulated field."""

    def __init__(self, folder: Path, site: Path) -> None:
        self._folder, self._site = folder, site
        self._addresses = {name: str(fixed(Endpoint("127.0.0.1", 0))) for name in "ab"}
        self.field = Command(folder, "field", "simulate", str(site))
        self.field.says("line lan at ")
        self.running: list[Command] = [self.field]

    def start(self, name: str, *more: str) -> Command:
        mine, other = self._addresses[name], self._addresses["b" if name == "a" else "a"]
        half = Command(
            self._folder, name, "run", str(self._site), "--lines", str(self._site / "state" / "simulated.yaml"),
            "--state-dir", str(self.state(name)), "--peer", other, "--peer-listen", mine, "--takeover-after", "1.5", *more,
        )  # fmt: skip
        self.running.append(half)
        return half

    def state(self, name: str) -> Path:
        return self._folder / name

    def peer_of(self, name: str) -> str:
        return self._addresses["b" if name == "a" else "a"]

    def measure(self, value: float) -> None:
        self.field.gateway.simulator(set="io1", values={"temperature": value})

    def entries(self, name: str) -> int:
        """How many entries the copy of a half has."""
        with contextlib.closing(sqlite3.connect(self.state(name) / "IO.sqlite")) as database:
            (count,) = database.execute("SELECT count(*) FROM entries").fetchone()
            return int(count)


@contextmanager
def pair_of_gateways(folder: Path) -> Iterator[Pair]:
    pair = Pair(folder, site_in(folder / "site"))
    try:
        yield pair
    finally:
        for one in pair.running:
            if one.process.poll() is None:
                one.kill()


class Reader:
    """A client that takes reports, and remembers the EntryID of the last one."""

    def __init__(self) -> None:
        self.entry_id = b""
        self._client: Client | None = None

    def associate(self, port: int, *configuration: tuple[str, bytes]) -> None:
        self._client = Client(port, timeout_s=10)
        assert self._client.associate()[0] == 0x0E
        resumed = [("EntryID", octets(self.entry_id))] if self.entry_id else []
        pairs = [*configuration, *resumed, ("RptEna", boolean(True))]
        results = self._client.write(LD, *((f"{BRCB}${name}", data) for name, data in pairs))
        assert results == ["success"] * len(pairs)

    def report(self) -> tuple[float, bool]:
        """The next one: its value, and whether it tells of a loss."""
        assert self._client is not None
        report = self._client.report()
        assert isinstance(report, Report)
        assert report.entry_id is not None
        assert self.entry_id < report.entry_id
        self.entry_id = report.entry_id
        (member,) = report.values
        (instantaneous,) = member[0]
        return struct.unpack(">f", instantaneous[1:])[0], bool(report.overflow)

    def leave(self) -> None:
        assert self._client is not None
        self._client.close()


@pytest.mark.conformance("GW-10", "BR-15")
def test_a_client_goes_on_with_its_entry_id_at_the_standby_without_replay(tmp_path: Path) -> None:
    with pair_of_gateways(tmp_path) as pair:
        pair.measure(20.0)
        a, b = pair.start("a"), pair.start("b", "--standby")
        reader = Reader()
        reader.associate(a.serves(), ("OptFlds", bits("0111111110")))
        b.says(f"standby of {pair.peer_of('b')}")
        for value in (21.0, 22.0, 23.0):
            pair.measure(value)
            assert reader.report() == (value, False)
        seen = pair.entries("b")
        assert seen == 3
        reader.leave()
        for count, value in enumerate((24.0, 25.0), seen + 1):
            pair.measure(value)
            until(lambda count=count: pair.entries("b") == count, 5)  # type: ignore[misc]
        a.kill()

        reader.associate(b.serves())  # its OptFlds are those that were written at the other one
        assert [reader.report(), reader.report()] == [(24.0, False), (25.0, False)]
        pair.measure(26.0)
        assert reader.report() == (26.0, True)  # what happened while nobody polled is unknown, and told

        a = pair.start("a")
        a.says(f"standby of {pair.peer_of('a')}")
        reader.leave()
        b.end()
        reader.associate(a.serves())
        pair.measure(27.0)
        assert reader.report()[0] == 27.0
        reader.leave()
        a.end()
        assert "Traceback" not in a.log.read_text() + b.log.read_text()
