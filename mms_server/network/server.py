"""The shell: TCP and TLS in front of associations, one engine behind them. It knows no protocol.

    ports ──► connections ──► one `Connection` each ──► engine ──► `outgoing` ──► connections, store, events, operations
                                                          ▲                           │
                                                          └──── wake_up: a change, or the deadline

The output of the engine (for clients, store and log) leaves in one pass after each change. Each `connection` decides when
its requests are answered.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from bus.clock import ClockState
from bus.system_clock import SystemClock
from mms_server.acsi.clients import Client
from mms_server.association.read_fast_path import ReadFastPath
from mms_server.engine import Engine
from mms_server.mms.initiate import ServerLimits
from mms_server.network.access_control import Access, Gate
from mms_server.network.client_events import ClientEvents, Listener, NoticeListener
from mms_server.network.connection.connection import Connection
from mms_server.network.connections import Connections
from mms_server.network.operations import Operations
from mms_server.network.ports import ListeningPorts
from mms_server.network.refused_peers import Refusals
from mms_server.network.sockets import listening_socket
from mms_server.network.tls import TlsPort
from mms_server.network.wake_up import WakeUp
from mms_server.storage.audit_log import AuditLog
from mms_server.storage.store import Mirror, Store

CONTEXTS_KEPT: Final = 8  # presentation contexts whose Reads are remembered; nearly every client talks in 3

log = logging.getLogger("mms.association")
clock_log = logging.getLogger("mms.clock")


class MmsServer:
    """The ports of one engine and their connections. `lock` guards the engine: whoever commits values takes it.

    `due` is called before requests are answered; `on_connection(client, connected)` when a client has associated or gone,
    and `on_notice(client, block, event)` at each event of a report control block. `store` saves persistent state and copies
    it to `mirror`; `audit` records the actions of clients.
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
        self.engine = engine
        self.own = ServerLimits(services=engine.supported())  # the server's side of Initiate
        self.clock = SystemClock(on_change=tell_clock) if clock is None else clock
        self.lock = threading.RLock()
        self.gate = Gate(access)
        self.refusals = Refusals()
        self.events = ClientEvents(audit, on_connection, on_notice)
        self.operations = Operations(engine, self.lock, self.clock, self.changed)
        self.connections = Connections(self.gate)
        self._ports = ListeningPorts(lambda tls: Connection(self, tls), self.connections.end_sessions)
        self._wake_up = WakeUp(self._pump, self._expired)
        self._store, self._mirror = store, mirror
        self._due = due
        self._fast_paths: dict[int, ReadFastPath] = {}

    async def start(self, host: str, port: int, tls: TlsPort | None = None) -> int:
        """Listen; the port that it is (0 takes a free one). With `tls` it speaks TLS only. Raises OSError."""
        sock = listening_socket(host, port)
        if not self._wake_up.running:
            self._wake_up.start()
            self._begin()
        return await self._ports.open(sock, tls)

    async def stop(self) -> None:
        """Listen no more, abort every association and close every connection."""
        self._ports.close()
        await self.connections.stop()
        self.operations.cancel()
        self._pump()
        self.refusals.end()
        if self._store is not None:
            await asyncio.to_thread(self._store.close)
        self._wake_up.stop()
        await asyncio.sleep(0.01)  # handles close at the end of a turn of the loop

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
        if self.engine.dirty:
            self._wake_up.soon()

    def mark_dirty(self) -> None:
        """Let the next turn of the loop flush the engine's output once more."""
        self.engine.mark_dirty()
        self.changed()

    def _stored(self, ticket: int) -> None:
        """Called by the store, on its thread."""
        self._wake_up.from_thread(self._acknowledged, ticket)

    def _acknowledged(self, ticket: int) -> None:
        with self.lock:
            self.engine.stored(ticket)
        self._pump()

    def _pump(self) -> None:
        """Flush the engine's output to the store, the clients and the audit log, and set the timer anew."""
        with self.lock:
            found = self.engine.outgoing()
        if found.kept and self._store is not None:
            self._store.write(found.kept, found.ticket)
        self.connections.push(found.receivers)
        if found.audits:
            self.events.commanded(found.audits)
        if found.notices:
            self.events.noticed(found.notices)
        for operation in found.due:
            self.operations.fire(operation)
        self._wake_up.at(found.deadline_ns)

    def _expired(self) -> None:
        self.before_requests()
        with self.lock:
            self.engine.deadline(self.clock.now())
        self._pump()

    # ------------------------------------------------------------------ for connections

    def associated(self, client: Client, connection: Connection) -> None:
        """`client` has associated over `connection`."""
        with self.lock:
            self.engine.opened(client)
        self.connections.associated(client, connection)
        self.events.associated(client)

    def left(self, client: Client, reason: str) -> None:
        """`client` is gone."""
        self.events.ended(client, reason)
        self.connections.left(client)
        with self.lock:
            self.engine.closed(client, self.clock.now())
        self.events.left(client)
        self.changed()

    def read_fast_path(self, context: int) -> ReadFastPath | None:
        """The read fast path of clients whose presentation context of MMS is `context`; None if there are too many contexts."""
        if context not in self._fast_paths and len(self._fast_paths) < CONTEXTS_KEPT:
            self._fast_paths[context] = ReadFastPath(self.engine.model, context)
        return self._fast_paths.get(context)

    def before_requests(self) -> None:
        """Commit values that are due before a request is answered: a value that has just become stale is not read as good."""
        if self._due is not None:
            self._due()


def tell_clock(before: ClockState | None, state: ClockState) -> None:
    """Log one line for each change of the clock's state: a worse one is a warning, unless it is the first."""
    worse = logging.INFO if before is None else logging.WARNING
    if state.failed:
        clock_log.log(worse, "the clock fails: time stamps say clockFailure")
    elif state.synchronized:
        error = "" if state.error_ns is None else f", off by {state.error_ns / 1e6:g} ms at most"
        clock_log.info("the clock is synchronized%s", error)
    else:
        clock_log.log(worse, "the clock is not synchronized: time stamps say so")
