"""`mms-gateway serve`: an IedServer as a command, with every option of the command line."""

import asyncio
import contextlib
import gc
import math
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bus import state_schema
from bus.endpoint import Endpoint
from bus.quality import UtcTime
from bus.state_schema import NewerStateError
from mapping.diagnostics import Diagnostics, MappingError, Span, render
from mapping.model import FC
from mapping.scl.access_points import server as read_server
from mapping.scl.reader import read
from mms_gateway.command import BAD_CONFIGURATION, OK
from mms_gateway.runtime.options import ServeOptions
from mms_server.acsi.set_data_values import OPEN_TO_CLIENTS
from mms_server.ied_server import Handle, IedServer
from mms_server.mms.data import Float32, Float64, UtcTimestamp
from mms_server.network.event_loop import loop_factory
from mms_server.network.tls import TlsPort

MOVED_A_SECOND: Final = 500  # measurands, at most: a large model moves in turns


def run(scl: Path, options: ServeOptions) -> int:
    """Serve until told to end; the exit code."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(scl, options))


async def _serve(scl: Path, options: ServeOptions) -> int:
    stop_requested = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop_requested.set)
    found = Diagnostics()
    server = _made(scl, options, found)
    context = _tls(scl, options, found)
    if options.files is not None and not options.files.is_dir():
        found.error("files", Span(str(scl)), f"--files {options.files} is no folder")
    if server is None or found.errors:
        sys.stderr.write(render(found) + "\n")
        return BAD_CONFIGURATION
    if found.found:
        sys.stderr.write(render(found) + "\n")
    if options.files is not None:
        server.serve_files(options.files)
    if options.simulate_process:
        server.simulate_process()
    if options.password is not None:
        server.authenticate(password=options.password)
    try:
        async with server.serving(options.port, options.host, context):
            gc.collect()
            gc.freeze()  # the model stays as long as the OS process: no collection looks at it again
            assert server.port is not None  # noqa: S101 - it serves
            sys.stdout.write(f"ready mms={Endpoint(options.host, server.port)} ied={server.ied_name}\n")
            sys.stdout.flush()
            await _until(stop_requested, options.seconds, _Movement(server) if options.simulate_process else None)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        hint = "`--port 0` takes a free port" if options.port else None
        if error.errno == 13:
            hint = f"`sudo sysctl net.ipv4.ip_unprivileged_port_start={options.port}`, or another `--port`"
        found = Diagnostics()
        message = f"cannot listen on {Endpoint(options.host, options.port)}: {reason}"
        found.error("port", Span(str(scl)), message, hint=hint)
        sys.stderr.write(render(found) + "\n")
        return BAD_CONFIGURATION
    return OK


def _made(scl: Path, options: ServeOptions, found: Diagnostics) -> IedServer | None:
    try:
        file = read(scl, found)
        described = read_server(file, options.ied, options.access_point, found)
    except MappingError:
        return None
    others = [f"{ied} at {at}" for ied, at in file.servers if (ied, at) != (described.ied_name, described.access_point)]
    if others and options.ied is None:
        sys.stderr.write(f"serving {described.ied_name} at {described.access_point}; also there: {', '.join(others)}\n")
    try:
        if options.state_dir is not None:
            state_schema.check(options.state_dir)
        server = IedServer(described, found, state_dir=options.state_dir)
    except NewerStateError as error:
        found.error("state", Span(str(options.state_dir)), error.message, hint=error.hint)
        return None
    except OSError as error:
        found.error("state", Span(str(scl)), f"--state-dir {options.state_dir} cannot be used: {error}")
        return None
    server.allow_writes(*OPEN_TO_CLIENTS)
    return server


def _tls(scl: Path, options: ServeOptions, found: Diagnostics) -> TlsPort | None:
    cert, key, ca = options.tls_cert, options.tls_key, options.tls_ca
    if cert is None and key is None and ca is None:
        return None
    if cert is None or key is None or ca is None:
        found.error("tls", Span(str(scl)), "TLS needs --tls-cert, --tls-key and --tls-ca, all three")
        return None
    try:
        return TlsPort(str(cert), str(key), str(ca))
    except OSError as error:
        found.error("tls", Span(str(cert)), f"certificate, key or CA cannot be used: {error}")
        return None


async def _until(stop_requested: asyncio.Event, seconds: float | None, movement: "_Movement | None") -> None:
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    while not stop_requested.is_set() and (until is None or loop.time() < until):
        left = 1.0 if until is None else min(1.0, until - loop.time())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(left, 0.001)):
                await stop_requested.wait()
        if movement is not None:
            movement.step(time.time())


class _Movement:
    """Measurands (FC MX) that move slowly about where the file has them, with `t`."""

    def __init__(self, server: IedServer) -> None:
        self._server = server
        self._groups = list(_groups(server))
        self._next = 0

    def step(self, now: float) -> None:
        """Move the next few hundred, in turns."""
        for _ in range(min(MOVED_A_SECOND, len(self._groups))):
            values, start, t = self._groups[self._next]
            self._next = (self._next + 1) % len(self._groups)
            moved = start + max(abs(start) * 0.05, 1.0) * math.sin(now / 20 + values[0])
            pairs: list[tuple[str | Handle, object]] = [(Handle(slot), moved) for slot in values]
            if t is not None:
                pairs.append((Handle(t), UtcTime.of(now)))
            self._server.update(pairs)


def _groups(server: IedServer) -> Iterator[tuple[list[int], float, int | None]]:
    """The float leaves of each measured data object, with their start and the object's `t`.

    A setpoint (APC, BAC) does not move by itself.
    """
    cache = server.model.cache
    slot = 0
    while slot < len(cache.nodes):
        node = cache.nodes[slot]
        if node.fc is not FC.MX or not any(child.name == b"q" for child in node.children):
            slot += 1
            continue
        inside = range(slot, slot + node.size)
        floats = [one for one in inside if isinstance(cache.nodes[one].kind, Float32 | Float64)]
        stamp = next((one for one in inside if isinstance(cache.nodes[one].kind, UtcTimestamp)), None)
        if floats and not _controllable(server, slot):
            start = cache.values[floats[0]]
            yield floats, float(start) if isinstance(start, int | float) else 0.0, stamp
        slot += node.size


def _controllable(server: IedServer, slot: int) -> bool:
    placed, suffix = server.model.placed(slot), server.model.node(slot).suffix
    return suffix is not None and suffix.replace(b"$MX$", b"$CO$", 1) in placed.layout.by_suffix
