"""Buffered reports through deaths: of the client, of the server, at random moments. Nothing twice, nothing lost in silence."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.running import ROOT
from tests.support.wire_data import bits, boolean, octets, unsigned

LD, BLOCK = "DEMOMAIN", "LLN0$BR$brcbEnergies01"
FIRST = [("TrgOps", bits("010000")), ("OptFlds", bits("0111111110")), ("BufTm", unsigned(0)), ("IntgPd", unsigned(0))]
TURNS = 8

pytestmark = pytest.mark.system


class Counting:
    """The counting program, killed and started again on the same port with the same state."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = 0
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.support.counting", str(self._folder / "state"), str(self.port)]
        process = subprocess.Popen(
            [*command, str(self._folder / "truth")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        self.port = int(process.stdout.readline().split()[1])
        return process

    def kill_and_restart(self) -> None:
        self.process.kill()
        self.end()
        self.process = self._start()

    def end(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait(10)


class Reader:
    """A client that takes reports, and goes on with its EntryID after each break."""

    def __init__(self) -> None:
        self.entry_id: bytes | None = None
        self.seen: list[tuple[int, bool]] = []  # value, bufOvfl
        self.client: Client | None = None

    def connect(self, port: int) -> None:
        self.client = Client(port)
        assert self.client.associate()[0] == 0x0E
        if self.entry_id is None:
            assert self.put(*FIRST) == ["success"] * 4
        else:
            assert self.put(("EntryID", octets(self.entry_id))) == ["success"]
        assert self.put(("RptEna", boolean(True))) == ["success"]

    def put(self, *pairs: tuple[str, bytes]) -> list[object]:
        assert self.client is not None
        return self.client.write(LD, *((f"{BLOCK}${name}", data) for name, data in pairs))

    def take(self, seconds: float) -> None:
        """Take reports for so long, or until the server is gone."""
        assert self.client is not None
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                report = self.client.report()
            except (TimeoutError, ConnectionError):
                return
            if report is None:
                return
            self.entry_id = report.entry_id
            self.seen.append((report.values[0][0], bool(report.overflow)))


@pytest.mark.conformance("BR-4", "BR-15", "GW-3")
@pytest.mark.parametrize("victim", ["client", "server"])
def test_every_event_comes_once_and_in_order_or_the_gap_is_flagged_once(tmp_path: Path, victim: str) -> None:
    counting, reader, chance = Counting(tmp_path), Reader(), random.Random(victim)
    try:
        for _ in range(TURNS):
            reader.connect(counting.port)
            reader.take(chance.uniform(0.05, 0.4))
            if victim == "server":
                counting.kill_and_restart()
                reader.take(1)  # what was on its way
            assert reader.client is not None
            reader.client.close()
            if victim == "client":
                time.sleep(chance.uniform(0.0, 0.2))
        reader.connect(counting.port)
        reader.take(0.3)
    finally:
        if reader.client is not None:
            reader.client.close()
        counting.process.kill()
        counting.end()
    values = [value for value, _ in reader.seen]
    assert len(values) > 20 * TURNS
    assert values == sorted(set(values))
    gaps = [at for at in range(1, len(values)) if values[at] != values[at - 1] + 1]
    flagged = [at for at, (_, overflow) in enumerate(reader.seen) if overflow]
    assert set(gaps) <= set(flagged)
    assert len(flagged) <= (TURNS if victim == "server" else 0)
