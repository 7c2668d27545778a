"""The shell: TCP and TLS in front of associations, one engine behind them. It knows no protocol.

What the engine has for clients, for the store and for the log leaves in one pass after each change; whose turn it is on
a connection, `connection` decides.
"""

import asyncio
import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from bus.clock import ClockState
from bus.system_clock import SystemClock
from mapping.model import FC
from mms_server.acsi import audit_events
from mms_server.acsi.access_callbacks import Call, Callback, Verdict
from mms_server.acsi.audit_events import AuditEvent
from mms_server.acsi.clients import Client
from mms_server.acsi.control.states import Operation
from mms_server.acsi.reporting.reporting import NEVER
from mms_server.association.read_fast_path import Familiar
from mms_server.engine import Engine
from mms_server.mms.add_cause import AddCause
from mms_server.mms.initiate import ServerLimits
from mms_server.network.access_control import Access, Gate
from mms_server.network.callbacks import verdict_of
from mms_server.network.connection import Connection
from mms_server.network.refused_peers import Refusals
from mms_server.network.sockets import listening_socket
from mms_server.network.tls import TlsPort
from mms_server.storage.audit_log import FOLDER as AUDIT
from mms_server.storage.audit_log import AuditLog
from mms_server.storage.store import Store

HANDSHAKES_LIMIT: Final = 64
CRL_CHECK_S: Final = 60.0
STOP_S: Final = 0.5  # for peers to take our abort, when we stop
CONTEXTS_KEPT: Final = 8  # presentation contexts whose Reads are remembered; nearly every client talks in 3

log = logging.getLogger("mms.association")
clock_log = logging.getLogger("mms.clock")
commands = logging.getLogger("mms.command")

Listener = Callable[[Client, bool], None]


class MmsServer:
    """One listening port and its connections. `lock` guards the engine: whoever commits values takes it."""

    def __init__(
        self,
        engine: Engine,
        access: Access,
        *,
        due: Callable[[], None] | None = None,
        clock: SystemClock | None = None,
    ) -> None:
        self.clock = SystemClock() if clock is None else clock
        self.clock.on_change = _tell_clock
        self.engine = engine
        self.gate = Gate(access)
        self.refusals = Refusals()
        self.store: Store | None = None
        self.audit: AuditLog | None = None
        self.complete_operation: Callback | None = None  # brings operations with enhanced security to their end
        self._operations: set[asyncio.Task[None]] = set()
        self.on_notice: Callable[[Client | None, str, str], None] | None = None
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self.own = ServerLimits(services=engine.supported())
        self._due = due
        self._numbers = 0
        self._connections: set[Connection] = set()
        self._by_client: dict[Client, Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._crl_watch: asyncio.TimerHandle | None = None
        self._pump_due = False
        self._thread = 0
        self._familiar: dict[int, Familiar] = {}
        self._listening: list[asyncio.Server] = []
        self._gone = asyncio.Event()  # no connection is left

    def serve_files(self, folder: Path, *, delete: bool, rename: bool, obtain: bool) -> None:
        """Offer the files below `folder`; with them the audit log and the event export, where there is one. Before `start`."""
        files = self.engine.behaviour.files
        files.folder, files.may_delete, files.may_rename, files.may_obtain = folder, delete, rename, obtain
        if self.audit is not None:
            files.own[AUDIT], files.made = self.audit.folder, self.engine.behaviour.logs.exported
        self.own = replace(self.own, services=self.engine.supported())

    async def start(self, host: str, port: int, tls: TlsPort | None = None) -> int:
        """Listen; the port that it is (0 takes a free one). With `tls` it speaks TLS only. Raises OSError."""
        loop = asyncio.get_running_loop()
        sock = listening_socket(host, port)
        if self._loop is None:
            self._loop, self._thread = loop, threading.get_ident()
            self._begin()
        server = await loop.create_server(lambda: Connection(self, tls), sock=sock)
        self._listening.append(server)
        if tls is not None and tls.crl is not None:
            self._crl_watch = loop.call_later(CRL_CHECK_S, self._check_crl, tls)
        return cast("int", sock.getsockname()[1])

    async def stop(self) -> None:
        """Listen no more, abort every association and close every connection."""
        for server in self._listening:
            server.close()
        for connection in tuple(self._connections):
            connection.stop("the server stops")
        if self._connections:
            self._gone.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), STOP_S)
        for connection in tuple(self._connections):
            connection.cut()
        self._listening.clear()
        for task in tuple(self._operations):
            task.cancel()
        for timer in (self._timer, self._crl_watch):
            if timer is not None:
                timer.cancel()
        self._pump()
        self.refusals.end()
        if self.store is not None:
            await asyncio.to_thread(self.store.close)
        self._loop = None
        await asyncio.sleep(0.01)  # handles close at the end of a turn of the loop

    def _check_crl(self, tls: TlsPort) -> None:
        """A new CRL ends every session that the old one has let in: clients come back, and are judged by the new one."""
        try:
            changed = tls.reload()
        except OSError as error:
            changed = False
            log.error("the CRL %s cannot be used, the last one holds: %s", tls.crl, error)
        if changed:
            log.warning("a new CRL: TLS sessions end")
            for connection in tuple(self._connections):
                if connection.secured_by is tls:
                    connection.stop("a new CRL")
        if self._loop is not None:
            self._crl_watch = self._loop.call_later(CRL_CHECK_S, self._check_crl, tls)

    # ------------------------------------------------------------------ what happens without a request

    def _begin(self) -> None:
        for problem in self.engine.problems:
            log.warning("%s", problem)
        if self.store is not None:
            self.store.start(self._stored)
        with self.lock:
            self.engine.start(self.clock.now())
        self._pump()

    def changed(self) -> None:
        """Values were committed, from whatever thread: reports, the store and the timer follow on the loop."""
        loop = self._loop
        if loop is None or self._pump_due or not self.engine.stirred:
            return
        self._pump_due = True
        if threading.get_ident() == self._thread:
            loop.call_soon(self._pump)
        else:
            loop.call_soon_threadsafe(self._pump)

    def stir(self) -> None:
        """Look again at what waits, in another turn."""
        self.engine.stirred = True
        self.changed()

    def _stored(self, ticket: int) -> None:
        """Called by the store, on its thread."""
        loop = self._loop
        if loop is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits any more
            loop.call_soon_threadsafe(self._acknowledged, ticket)

    def _acknowledged(self, ticket: int) -> None:
        with self.lock:
            self.engine.stored(ticket)
        self._pump()

    def _pump(self) -> None:
        """Give the store and every client what waits for them, and set the timer anew."""
        self._pump_due = False
        with self.lock:
            self.engine.stirred = False
            operations, ticket = self.engine.persistence.take()
            receivers = self.engine.receivers()
            notices = self.engine.notices()
            audits = self.engine.audits()
            due = self.engine.due()
            deadline_ns = self.engine.next_deadline_ns()
        if operations and self.store is not None:
            self.store.write(operations, ticket)
        for client in receivers:
            connection = self._by_client.get(client)
            if connection is not None:
                connection.push()
        for one in audits:
            commands.info("%s", one, extra=one.fields())
            self.audited(audit_events.COMMANDS[one.service], one.client, audit_events.commanded(one))
        for who, block, event in notices:
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s: %s", block, event, extra=_subject(who))
            if self.on_notice is not None:
                self.on_notice(who, block, event)
        for operation in due:
            self.beside(self._fired(operation))
        self._set_timer(deadline_ns)

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Do `work` beside everything else, until it ends or the server stops."""
        assert self._loop is not None  # noqa: S101 - it serves
        task = self._loop.create_task(work)
        self._operations.add(task)
        task.add_done_callback(self._operations.discard)

    async def _fired(self, operation: Operation) -> None:
        """Begin what has waited for its time: the process is asked again."""
        verdict = await verdict_of(Call(self.engine.behaviour.execute, (operation,)))
        with self.lock:
            begun = verdict if isinstance(verdict, AddCause) else verdict is True
            goes_on = self.engine.fired(operation, begun, self.clock.now())
        self.changed()
        if goes_on:
            await self._completed(operation)

    def _set_timer(self, deadline_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline_ns != NEVER and self._loop is not None:
            wait = max((deadline_ns - time.monotonic_ns()) / 1e9, 0.0)
            self._timer = self._loop.call_later(min(wait, 3600.0), self._expired)

    def _expired(self) -> None:
        self._timer = None
        self.before_requests()
        with self.lock:
            self.engine.deadline(self.clock.now())
        self._pump()

    def complete(self, operation: Operation) -> None:
        """Wait for the end of an operation with enhanced security, beside everything else."""
        self.beside(self._completed(operation))

    async def _completed(self, operation: Operation) -> None:
        verdict: Verdict = True
        if self.complete_operation is not None:
            limit_ms = operation.target.number(FC.CF, "operTimeout")
            try:
                async with asyncio.timeout(limit_ms / 1000 if limit_ms else None):
                    verdict = await verdict_of(Call(self.complete_operation, (operation,)))
            except TimeoutError:
                verdict = AddCause.TIME_LIMIT_OVER
        with self.lock:
            ended = verdict if isinstance(verdict, AddCause) else verdict is True
            self.engine.ended(operation, ended, self.clock.now())
        self.changed()

    def audited(self, event: str, client: Client, deed: AuditEvent) -> None:
        """Put one line into the audit log, if there is one."""
        if self.audit is not None:
            self.audit.add(event, client, deed)

    def associated(self, client: Client, connection: Connection) -> None:
        """`client` is there, behind `connection`."""
        with self.lock:
            self.engine.opened(client)
        self._by_client[client] = connection
        shown = {} if client.certificate is None else {"certificate": hashlib.sha256(client.certificate).hexdigest()}
        self.audited("associated", client, shown)
        self.told(client, True)

    def left(self, client: Client, reason: str) -> None:
        """`client` is gone."""
        self.audited("ended", client, {"reason": reason})
        self._by_client.pop(client, None)
        with self.lock:
            self.engine.closed(client, self.clock.now())
        self.told(client, False)
        self.changed()

    def familiar(self, context: int) -> Familiar | None:
        """What is known of the Reads of clients that talk in the presentation context `context`."""
        if context not in self._familiar and len(self._familiar) < CONTEXTS_KEPT:
            self._familiar[context] = Familiar(self.engine.model, context)
        return self._familiar.get(context)

    def before_requests(self) -> None:
        """What is due comes before what is asked: a value that has just become stale is not read as good."""
        if self._due is not None:
            self._due()

    # ------------------------------------------------------------------ connections come and go

    def admit(self, connection: Connection) -> str | None:
        """Why `connection` may not even shake hands; None if it may. The oldest unfinished handshake makes room."""
        refusal = self.gate.closed_to(connection.host, len(self.engine.clients))
        if refusal is not None:
            return refusal
        unfinished = [one for one in self._connections if one.client is None]
        if len(unfinished) >= HANDSHAKES_LIMIT:
            min(unfinished, key=lambda one: one.number).stop("made room for a newer handshake")
        self._connections.add(connection)
        return None

    def next_number(self) -> int:
        """The number of the next connection, for the log."""
        self._numbers += 1
        return self._numbers

    def forget(self, connection: Connection) -> None:
        """The connection is no more."""
        self._connections.discard(connection)
        if not self._connections:
            self._gone.set()

    def told(self, client: Client, connected: bool) -> None:
        """Tell the listeners who came or went."""
        for listener in self.listeners:
            listener(client, connected)


def _subject(client: Client | None) -> dict[str, object]:
    return {"peer": "-"} if client is None else {"assoc": client.association, "peer": client.address}


def _tell_clock(before: ClockState | None, state: ClockState) -> None:
    """One line for each change of what the clock is worth; how it is at the start is no change for the worse."""
    worse = logging.INFO if before is None else logging.WARNING
    if state.failed:
        clock_log.log(worse, "the clock fails: time stamps say clockFailure")
    elif state.synchronized:
        error = "" if state.error_ns is None else f", off by {state.error_ns / 1e6:g} ms at most"
        clock_log.info("the clock is synchronized%s", error)
    else:
        clock_log.log(worse, "the clock is not synchronized: time stamps say so")
