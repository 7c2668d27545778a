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
from typing import Final, cast

from bus.clock import ClockState
from bus.system_clock import SystemClock
from mapping.model import FC
from mms_server.acsi import audit_events
from mms_server.acsi.access_callbacks import Verdict
from mms_server.acsi.audit_events import Deed
from mms_server.acsi.behaviour import NEVER
from mms_server.acsi.clients import Client
from mms_server.acsi.control.states import Operation
from mms_server.association.read_fast_path import Familiar
from mms_server.engine import Engine
from mms_server.mms.add_cause import AddCause
from mms_server.mms.initiate import Own
from mms_server.network.access_control import Access, Gate
from mms_server.network.callbacks import verdict_of
from mms_server.network.connection import Connection
from mms_server.network.refused_peers import Refusals
from mms_server.network.sockets import listening_socket
from mms_server.network.tls import TlsPort
from mms_server.storage.audit_log import AuditLog
from mms_server.storage.store import Mirror, Store

HANDSHAKES_LIMIT: Final = 64
CRL_CHECK_S: Final = 60.0
STOP_S: Final = 0.5  # for peers to take our abort, when we stop
CONTEXTS_KEPT: Final = 8  # presentation contexts whose Reads are remembered; nearly every client talks in 3

log = logging.getLogger("mms.association")
clock_log = logging.getLogger("mms.clock")
commands = logging.getLogger("mms.command")

Listener = Callable[[Client, bool], None]
NoticeListener = Callable[[Client | None, str, str], None]


class MmsServer:
    """The ports of one engine and their connections. `lock` guards the engine: whoever commits values takes it.

    `due` is called before anything is asked; `on_connection(client, connected)` when a client has associated or gone, and
    `on_notice(client, block, event)` when something happens to a report control block. What is kept goes to `store`, and
    from there to `mirror`; what clients do, to `audit`.
    """

    def __init__(
        self,
        engine: Engine,
        access: Access,
        *,
        store: Store | None = None,
        mirror: Mirror | None = None,
        audit: AuditLog | None = None,
        clock: SystemClock | None = None,
        due: Callable[[], None] | None = None,
        on_connection: Listener | None = None,
        on_notice: NoticeListener | None = None,
    ) -> None:
        self.clock = SystemClock(on_change=tell_clock) if clock is None else clock
        self.engine = engine
        self.gate = Gate(access)
        self.refusals = Refusals()
        self.audit = audit
        self._store, self._mirror = store, mirror
        self._on_connection, self._on_notice = on_connection, on_notice
        self._operations: set[asyncio.Task[None]] = set()
        self.lock = threading.RLock()
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

    @property
    def own(self) -> Own:
        """The server's side of Initiate."""
        return Own(services=self.engine.supported())

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
        if self._store is not None:
            await asyncio.to_thread(self._store.close)
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
        if self._store is not None:
            self._store.start(self._stored, self._mirror)
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
        self.engine.stir()
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
            found = self.engine.outgoing()
        if found.kept and self._store is not None:
            self._store.write(found.kept, found.ticket)
        for client in found.receivers:
            connection = self._by_client.get(client)
            if connection is not None:
                connection.push()
        for one in found.audits:
            commands.info("%s", one, extra=one.fields())
            self.audited(audit_events.COMMANDS[one.service], one.client, audit_events.commanded(one))
        for who, block, event in found.notices:
            log.debug("%s: %s", block, event, extra={"peer": who.address if who else "-"})
            if self._on_notice is not None:
                self._on_notice(who, block, event)
        for operation in found.due:
            self.beside(self._fired(operation))
        self._set_timer(found.deadline_ns)

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Do `work` beside everything else, until it ends or the server stops."""
        assert self._loop is not None  # noqa: S101 - it serves
        task = self._loop.create_task(work)
        self._operations.add(task)
        task.add_done_callback(self._operations.discard)

    async def _fired(self, operation: Operation) -> None:
        """Begin what has waited for its time: the process is asked again."""
        question = self.engine.question(operation)
        verdict = True if question is None else await verdict_of(question)
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
        verdict: Verdict
        limit_ms = operation.target.number(FC.CF, "operTimeout")
        try:
            async with asyncio.timeout(limit_ms / 1000 if limit_ms else None):
                verdict = await verdict_of(self.engine.ending(operation))
        except TimeoutError:
            verdict = AddCause.TIME_LIMIT_OVER
        with self.lock:
            ended = verdict if isinstance(verdict, AddCause) else verdict is True
            self.engine.ended(operation, ended, self.clock.now())
        self.changed()

    def audited(self, event: str, client: Client, deed: Deed) -> None:
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
        """Tell who came or went."""
        if self._on_connection is not None:
            self._on_connection(client, connected)


def tell_clock(before: ClockState | None, state: ClockState) -> None:
    """One line for each change of what the clock is worth; how it is at the start is no change for the worse."""
    worse = logging.INFO if before is None else logging.WARNING
    if state.failed:
        clock_log.log(worse, "the clock fails: time stamps say clockFailure")
    elif state.synchronized:
        error = "" if state.error_ns is None else f", off by {state.error_ns / 1e6:g} ms at most"
        clock_log.info("the clock is synchronized%s", error)
    else:
        clock_log.log(worse, "the clock is not synchronized: time stamps say so")
