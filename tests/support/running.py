"""The real processes, started as a user starts them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass
class Gateway:
    """A running command: its process, what its `ready` line says, its folder for temporary files."""

    process: subprocess.Popen[str]
    facts: dict[str, str]
    folder: Path
    log: Path

    @property
    def mms_port(self) -> int:
        return int(self.facts["mms"].rpartition(":")[2])

    def children(self) -> dict[str, int]:
        """Process ids of the children, by the module that they run and its argument."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (folder / "cmdline").read_bytes().decode().split("\0")
                    status = (folder / "stat").read_text().rpartition(")")[2].split()
                    if int(status[1]) == self.process.pid and "-m" in words:
                        found[_name(words)] = int(folder.name)
        return found

    def simulator(self, **asked: Any) -> dict[str, Any]:
        """Ask the simulated field through its own door."""
        (path,) = self.folder.glob("mms-gw-*/simulate.ctl")
        with socket.socket(socket.AF_UNIX) as door:
            door.connect(str(path))
            door.sendall(json.dumps(asked).encode() + b"\n")
            with door.makefile() as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
                return answer


def _name(words: list[str]) -> str:
    module = words[words.index("-m") + 1]
    for option in ("--worker", "--ied"):
        if option in words:
            return f"{module} {words[words.index(option) + 1]}"
    return module


@contextmanager
def running(folder: Path, *arguments: str, exit_code: int = 0) -> Iterator[Gateway]:
    """Run `mms-gateway ARGUMENTS` until the block ends; it must then end with `exit_code`."""
    log = folder / "stderr.txt"
    command = [sys.executable, "-m", "mms_gateway", *arguments]
    environment = {key: value for key, value in os.environ.items() if key != "XDG_RUNTIME_DIR"} | {
        "TMPDIR": str(folder)
    }
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, env=environment)
    try:
        yield Gateway(process, _ready(process, log), folder, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        finally:
            if process.stdout is not None:
                process.stdout.close()
    assert process.returncode == exit_code, log.read_text()


def _ready(process: subprocess.Popen[str], log: Path) -> dict[str, str]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            return dict(part.split("=", 1) for part in line.split()[1:])
    raise AssertionError(f"no ready line: {log.read_text()}")


def until(what: Callable[[], bool], within_s: float, why: Callable[[], object] | None = None) -> float:
    """Wait until `what` holds; how long that took. Fails after `within_s`, with what `why` says."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < within_s, f"not within {within_s} s: {why() if why else ''}"
        time.sleep(0.02)
    return time.monotonic() - started
