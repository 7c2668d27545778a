"""Server under measurement: its OS process, its port, its use of processor and memory."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from bench import model
from mms_gateway.runtime.processes import environment

ROOT = Path(__file__).parents[1]


class ServerProcess:
    """One server, from start to end: ours, or libIEC61850's if `peer` names the Python of its environment."""

    def __init__(self, measurands: int, peer: str | None = None, port: int = 0) -> None:
        self.name = "ours" if peer is None else "libIEC61850"
        self._folder = tempfile.TemporaryDirectory()
        if peer is None:
            scl = Path(self._folder.name, "bench.icd")
            scl.write_text(model.icd(measurands), encoding="utf-8")
            command = [sys.executable, "-m", "bench.ours", str(scl)]
        else:
            command = [peer, str(ROOT / "bench" / "peer.py"), str(measurands), str(port)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()
        )
        assert self._process.stdout is not None
        word, at, took = ([*self._process.stdout.readline().split(), "", "0", "0"])[:3]
        if word != "ready":
            raise RuntimeError(f"{self.name} did not start")
        self.port, self.start_s = int(at), float(took)

    def order(self, rate: float, count: int) -> None:
        """Feed: `rate` commits a second of the first `count` measurands."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"rate {rate} {count}\n")
        self._process.stdin.flush()

    def cpu_s(self) -> float:
        """Seconds of processor that all of its threads have used."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in tasks) / 1e9

    def memory_mib(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()
