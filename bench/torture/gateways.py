"""Gateways under test: ours and the plain one as OS processes of the bench, or any other that somebody has started."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final, Protocol, Self

from bus.processes import PARENT_ENV
from mms_gateway.runtime.processes import environment

READY_S: Final = 40.0
STOP_S: Final = 10.0


class NotServed(Exception):  # noqa: N818 - it is what a user reads
    """A gateway that did not start, or serves nothing."""


class Gateway(Protocol):
    """One gateway that serves a scene's points."""

    host: str
    port: int

    async def conditions(self) -> list[str]:
        """Names of the conditions of the line; empty where it names none."""

    def kill_worker(self) -> bool:
        """Kill the OS process that asks the line; False if there is none to be killed."""

    async def stop(self) -> None:
        """End it."""


class Other:
    """A gateway that is not ours to start."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port

    async def conditions(self) -> list[str]:
        return []

    def kill_worker(self) -> bool:
        return False

    async def stop(self) -> None:
        return


class Child:
    """A gateway as a child: its `ready` line says where it serves."""

    host = "127.0.0.1"

    def __init__(self, process: asyncio.subprocess.Process, facts: dict[str, str]) -> None:
        self._process, self._facts = process, facts
        self.port = int(facts["mms"].rpartition(":")[2])

    @classmethod
    async def ours(cls, folder: Path) -> Self:
        """Our gateway on the site in `folder`, by the command of this environment. Raises NotServed."""
        command = Path(sys.executable).with_name("mms-gateway")
        options = ("run", str(folder), "--http-port", "0", "--state-dir", str(folder / "state"))
        return await cls._started(folder, str(command), *options)

    @classmethod
    async def plain(cls, folder: Path) -> Self:
        """The plain gateway. Raises NotServed."""
        return await cls._started(folder, sys.executable, "-m", "bench.torture.plain_gateway", str(folder))

    @classmethod
    async def _started(cls, folder: Path, *command: str) -> Self:
        with (folder / "gateway.log").open("w") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
                cwd=Path(__file__).parents[2], env=environment(**{PARENT_ENV: "1"}),
            )  # fmt: skip
        try:
            return cls(process, await asyncio.wait_for(_ready(process), READY_S))
        except (TimeoutError, NotServed) as error:
            await _ended(process)
            raise NotServed(f"not ready: {(folder / 'gateway.log').read_text()[-2000:]}") from error

    async def conditions(self) -> list[str]:
        if "http" not in self._facts:
            return []
        return named(await asyncio.to_thread(_status, self._facts["http"]))

    def kill_worker(self) -> bool:
        found = [pid for pid, words in _children(self._process.pid) if "acquisition" in words]
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return bool(found)

    async def stop(self) -> None:
        await _ended(self._process)


async def _ready(process: asyncio.subprocess.Process) -> dict[str, str]:
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"ready "):
            return dict(word.split("=", 1) for word in line.decode().split()[1:])
    raise NotServed("it ended")


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _status(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{address}/api/status", timeout=STOP_S) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def named(status: dict[str, Any]) -> list[str]:
    """Names of the conditions in /api/status, whose lines are a list or a mapping by name; a line may know no conditions."""
    lines = status["lines"].values() if isinstance(status["lines"], dict) else status["lines"]
    return sorted({found["name"] for line in lines for found in line.get("conditions", ())})


def _children(parent: int) -> list[tuple[int, list[str]]]:
    """Process ids and words of the command lines of the children of `parent`."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            above = int(stat.read_text().rpartition(")")[2].split()[1])
            words = stat.with_name("cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended meanwhile
        if above == parent:
            found.append((int(stat.parent.name), words))
    return found
