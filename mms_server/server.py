"""The shell: TCP and TLS in front of associations, one engine behind them. It knows no protocol.

All TPKTs of one receive are taken in one pass, all answers of a pass leave in one write. A client that floods gets its
turn and no more; a client that does not read is not read either, and is cut off after 30 s in which no octet left.
"""

import asyncio
import contextlib
import hashlib
import hmac
import inspect
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Final, cast

from bus.clock import ClockState
from bus.quality import Now
from bus.system_clock import SystemClock
from mapping.model import FC
from mms_server.acsi import deeds
from mms_server.acsi.clients import Client
from mms_server.acsi.control import Operation
from mms_server.acsi.deeds import Deed
from mms_server.acsi.guards import Call, Callback, Verdict
from mms_server.acsi.reporting import NEVER
from mms_server.association import Answered, Asked, Association, Closed, Request
from mms_server.audit import FOLDER as AUDIT
from mms_server.audit import AuditLog
from mms_server.engine import Engine, Waiting
from mms_server.familiar import SHORTEST, Familiar, Room
from mms_server.mms.add_cause import AddCause
from mms_server.mms.initiate import Own
from mms_server.sockets import listening_socket, set_keepalive
from mms_server.store import Store
from mms_server.tls import TlsPort, TlsRefused, TlsSession

TURN_REQUESTS: Final = 32  # requests of one client before the others get their turn
WRITE_HIGH_OCTETS: Final = 512 * 1024
STUCK_S: Final = 30.0
STUCK_CHECK_S: Final = 5.0
HANDSHAKES_LIMIT: Final = 64
CRL_CHECK_S: Final = 60.0
STOP_S: Final = 0.5  # for peers to take our abort, when we stop
FAILED_LOGIN_DELAY_S: Final = 0.2
FAILED_LOGIN_DELAY_LIMIT_S: Final = 2.0
FAILED_LOGINS_KEPT: Final = 1024
CONTEXTS_KEPT: Final = 8  # presentation contexts whose Reads are remembered; nearly every client talks in 3

log = logging.getLogger("mms.association")
clock_log = logging.getLogger("mms.clock")
commands = logging.getLogger("mms.command")

Authenticator = Callable[[Client, bytes | None], bool | Awaitable[bool]]
Listener = Callable[[Client, bool], None]


@dataclass(frozen=True, slots=True)
class Access:
    """Who may associate: how many, from where, and who decides. No authenticator: anybody, whatever he says."""

    max_clients: int = 64
    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    authenticate: Authenticator | None = None


def password_is(expected: str) -> Authenticator:
    """An authenticator for one password, compared in constant time."""
    octets = expected.encode()

    def decide(_client: Client, password: bytes | None) -> bool:
        return password is not None and hmac.compare_digest(password, octets)

    return decide


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
        self.access = access
        self.store: Store | None = None
        self.audit: AuditLog | None = None
        self.complete_operation: Callback | None = None  # brings operations with enhanced security to their end
        self._operations: set[asyncio.Task[None]] = set()
        self.on_notice: Callable[[Client | None, str, str], None] | None = None
        self.lock = threading.RLock()
        self.listeners: list[Listener] = []
        self.own = Own(services=engine.supported())
        self._due = due
        self._numbers = 0
        self._connections: set[Connection] = set()
        self._by_client: dict[Client, Connection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._crl_watch: asyncio.TimerHandle | None = None
        self._pump_due = False
        self._thread = 0
        self._failed: dict[str, int] = {}
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
            operations, ticket = self.engine.journal.take()
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
            self.audited(deeds.COMMANDS[one.service], one.client, deeds.commanded(one))
        for who, block, event in notices:
            log.debug("%s: %s", block, event, extra={"peer": who.address if who else "-"})
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

    def audited(self, event: str, client: Client, deed: Deed) -> None:
        """Put one line into the audit log, if there is one."""
        if self.audit is not None:
            self.audit.add(event, client, deed)

    def associated(self, client: Client, connection: "Connection") -> None:
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

    def admit(self, connection: "Connection") -> str | None:
        """Why `connection` may not even shake hands; None if it may. The oldest unfinished handshake makes room."""
        if self.access.allow and not self._allowed(connection.host):
            return "address not on the allow-list"
        if len(self.engine.clients) >= self.access.max_clients:
            return f"{self.access.max_clients} clients are associated already"
        unfinished = [one for one in self._connections if one.client is None]
        if len(unfinished) >= HANDSHAKES_LIMIT:
            min(unfinished, key=lambda one: one.number).stop("made room for a newer handshake")
        self._connections.add(connection)
        return None

    def _allowed(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self.access.allow)

    def next_number(self) -> int:
        """The number of the next connection, for the log."""
        self._numbers += 1
        return self._numbers

    def forget(self, connection: "Connection") -> None:
        """The connection is no more."""
        self._connections.discard(connection)
        if not self._connections:
            self._gone.set()

    def told(self, client: Client, connected: bool) -> None:
        """Tell the listeners who came or went."""
        for listener in self.listeners:
            listener(client, connected)

    # ------------------------------------------------------------------ authentication

    async def authenticated(self, client: Client, password: bytes | None) -> bool:
        """What the authenticator says; a no takes longer each time, for that address."""
        decide = self.access.authenticate
        if decide is None:
            return True
        host = client.address.rpartition(":")[0]
        answer = decide(client, password) if _is_quick(decide) else await asyncio.to_thread(decide, client, password)
        allowed = await answer if inspect.isawaitable(answer) else answer
        if allowed:
            self._failed.pop(host, None)
            return True
        failures = self._failed.pop(host, 0) + 1
        self._failed[host] = failures
        if len(self._failed) > FAILED_LOGINS_KEPT:
            self._failed.pop(next(iter(self._failed)))
        await asyncio.sleep(min(failures * FAILED_LOGIN_DELAY_S, FAILED_LOGIN_DELAY_LIMIT_S))
        return False


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


def _is_quick(decide: Authenticator) -> bool:
    return inspect.iscoroutinefunction(decide) or decide.__module__ == __name__


async def verdict_of(call: Call) -> Verdict:
    """What the embedding program says; a callback that fails says no, and its traceback is logged."""
    try:
        if inspect.iscoroutinefunction(call.callback):
            return cast("Verdict", await call.callback(*call.arguments))
        said = await asyncio.to_thread(call.callback, *call.arguments)
        return await said if inspect.isawaitable(said) else said
    except Exception:  # the entry point of somebody else's code
        log.exception("the callback %r failed: access denied", call.callback)
        return False


class Connection(asyncio.Protocol):
    """One TCP connection and its association."""

    def __init__(self, server: MmsServer, tls: TlsPort | None = None) -> None:
        self.secured_by = tls
        self._tls = None if tls is None else tls.session()
        self.number = server.next_number()
        self.client: Client | None = None
        self.host = ""
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._association = Association(server.own, self._loop.time())
        self._transport: asyncio.Transport | None = None
        self._peer = "?"
        self._timer: asyncio.TimerHandle | None = None
        self._stuck_timer: asyncio.TimerHandle | None = None
        self._decision: asyncio.Task[None] | None = None
        self._paused = False
        self._turn_due = False
        self._consulting = False  # the embedding program is being asked
        self._familiar: Familiar | None = None
        self._id_at = 0  # where this client's Reads have their invokeID
        self._room = Room(0, 0, 0)
        self._events: list[Asked | Request | Answered | Closed] = []

    # ------------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection or close it at once."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername") or ("?", 0)
        self.host, self._peer = str(address[0]), f"{address[0]}:{address[1]}"
        refusal = self._server.admit(self)
        if refusal is not None:
            log.warning("connection refused: %s", refusal, extra={"assoc": self.number, "peer": self._peer})
            self._transport.abort()
            return
        set_keepalive(transport.get_extra_info("socket"))
        self._transport.set_write_buffer_limits(high=WRITE_HIGH_OCTETS)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        """Octets from the peer."""
        if self._tls is not None:
            opened = self._opened(self._tls, data)
            if opened is None:
                return
            data = opened
        self._server.before_requests()
        if self._id_at and not self._events and not self._paused and not self._consulting:
            data = self._answer_known(data)
            if not data:
                return
        self._association.receive(data, self._loop.time())
        self._turn()
        if self._familiar is not None:
            self._id_at = self._familiar.learn(data) or self._id_at

    def _answer_known(self, data: bytes) -> bytes:
        """Answer the Reads at the front of `data` that have been asked before; what is left of it."""
        familiar, association = self._familiar, self._association
        if familiar is None or not association.idle or self._server.engine.behaviour.read_guards.any:
            return data
        answers: list[bytes] = []
        position, end = 0, len(data)
        with self._server.lock:
            while end - position >= SHORTEST and len(answers) < TURN_REQUESTS:
                size = data[position + 2] << 8 | data[position + 3]
                packet = data if size == end else data[position : position + size]
                if len(packet) != size or size < SHORTEST:
                    break
                answer = familiar.answer(packet, self._id_at, self._room)
                if answer is None:
                    break
                answers.append(answer)
                position += size
        if answers and self._transport is not None:
            octets = answers[0] if len(answers) == 1 else b"".join(answers)
            self._transport.write(octets if self._tls is None else self._sealed(self._tls, octets))
        return data if not position else data[position:]

    def _opened(self, tls: TlsSession, data: bytes) -> bytes | None:
        """What `data` carry for the association; None if nothing does, or the peer is refused."""
        assert self._transport is not None  # noqa: S101 - data came
        try:
            plain = tls.receive(data)
        except TlsRefused as refused:
            log.warning("no TLS: %s", refused.reason, extra=self._who())
            self._transport.write(refused.alert)
            self._transport.close()
            return None
        said = tls.to_send()
        if said:
            self._transport.write(said)
        return plain or None

    def pause_writing(self) -> None:
        """The peer does not read: neither do we."""
        self._paused = True
        self._read(False)
        self._watch_stuck(self._unsent(), self._loop.time())

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._paused = False
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
        self._turn()
        self.push()

    def connection_lost(self, error: Exception | None) -> None:
        """The end, whoever brought it about."""
        self._association.abort("connection lost")
        for timer in (self._timer, self._stuck_timer):
            if timer is not None:
                timer.cancel()
        if self._decision is not None:
            self._decision.cancel()
        self._server.forget(self)
        self._gone(f"connection lost{f': {error}' if error else ''}")

    # ------------------------------------------------------------------ our side

    def stop(self, reason: str) -> None:
        """End it from our side, telling the peer."""
        self._association.abort(reason)
        self._turn()

    def cut(self) -> None:
        """End it without waiting for the peer."""
        if self._transport is not None:
            self._transport.abort()

    def _turn(self) -> None:
        self._turn_due = False
        left = TURN_REQUESTS
        at = self._server.clock.now()
        association = self._association
        while not self._paused and not self._consulting:
            if not self._events:
                self._events = list(association.events())
                if not self._events:
                    break
            if left == 0:
                self._again()
                break
            event = self._events.pop(0)
            if isinstance(event, Request):
                left -= 1
                self._answer(event, at)
            elif isinstance(event, Answered):
                self._heard(event, at)
            elif isinstance(event, Asked):
                self._decision = self._loop.create_task(self._decide(event))
            else:
                self._gone(event.reason, event.orderly)
        self._flush()
        self._server.changed()

    def push(self) -> None:
        """Send what the engine has for this client, unless it does not read."""
        if self._paused or self.client is None:
            return
        engine = self._server.engine
        with self._server.lock:
            pdus = engine.pull(self.client)
            asks = engine.asks(self.client)
            answers = engine.answers(self.client)
        if not pdus and not asks and not answers:
            return
        for pdu in pdus:
            self._association.send(pdu)
        for element in asks:
            self._association.ask(element)
        for obtained in answers:
            self._server.audited("file-obtain", self.client, {"file": obtained.name, "result": obtained.result})
            self._association.answer(obtained.pdu, self._loop.time())
            self._again()  # what waited for its turn
        self._flush()
        self._server.stir()  # there may be more: everybody gets a turn first

    def _again(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _answer(self, request: Request, at: Now) -> None:
        if self.client is None:
            return  # it has gone while its requests waited
        with self._server.lock:
            pdu = self._server.engine.request(self.client, request.invoke_id, request.service, request.body, at)
        if isinstance(pdu, Waiting):
            self._consulting = True
            self._server.beside(self._consult(pdu, request))
        elif pdu is not None:
            self._reply(self.client, pdu, request)

    def _heard(self, answered: Answered, at: Now) -> None:
        if self.client is not None:
            with self._server.lock:
                self._server.engine.answered(self.client, answered.tag, answered.body, at)

    def _reply(self, client: Client, pdu: bytes, request: Request) -> None:
        for before in client.before_answer:
            if len(before) <= client.max_pdu:
                self._association.send(before)
        client.before_answer.clear()
        if request.service in deeds.TOLD and self._server.audit is not None:
            for event, deed in deeds.told(request.service, request.body, pdu):
                self._server.audited(event, client, deed)
        self._association.answer(pdu, self._loop.time())

    async def _consult(self, waiting: Waiting, request: Request) -> None:
        """Ask the embedding program; this client's later requests wait, everybody else's do not.

        It goes on when the client is gone: what is on its way to the process has an end, and somebody else may follow.
        """
        verdicts = [await verdict_of(call) for call in waiting.calls]
        with self._server.lock:
            pdu = self._server.engine.finish(waiting, verdicts, self._server.clock.now())
            begun = self._server.engine.begun()
        self._consulting = False
        if pdu is not None:
            self._reply(waiting.client, pdu, request)
            self._turn()
        for operation in begun:
            self._server.complete(operation)
        self._server.changed()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        octets = self._association.octets_to_send()
        if octets:
            self._transport.write(octets if self._tls is None else self._sealed(self._tls, octets))
        if self._association.closing:
            self._transport.close()
            return
        self._read(not self._paused and not self._association.full)
        self._set_timer()

    def _sealed(self, tls: TlsSession, octets: bytes) -> bytes:
        try:
            return tls.send(octets)
        except TlsRefused as refused:
            log.warning("TLS ended: %s", refused.reason, extra=self._who())
            return b""

    def _read(self, wanted: bool) -> None:
        transport = self._transport
        if transport is None or transport.is_closing() or transport.is_reading() == wanted:
            return
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    async def _decide(self, asked: Asked) -> None:
        password = asked.acse.password
        if asked.acse.mechanism is not None and password is None:
            log.warning("unknown authentication mechanism %s", asked.acse.mechanism, extra=self._who())
        client = Client(self.number, self._peer, 0, None if self._tls is None else self._tls.certificate)
        if not await self._server.authenticated(client, password):
            self._server.audited("refused", client, {"reason": "authentication failed"})
            self._association.refuse()
        elif len(self._server.engine.clients) >= self._server.access.max_clients:
            self._association.refuse(diagnostic=1, reason="as many clients as there may be")
        else:
            agreed = self._association.accept()
            if agreed is not None:
                client.max_pdu = agreed.max_pdu
                client.takes_requests = agreed.called > 0
                client.authenticated = self._server.access.authenticate is not None
                self.client = client
                self._familiar = self._server.familiar(self._association.context)
                self._room = Room.of(self._association.tpdu_octets, agreed.max_pdu)
                log.info("associated, PDU %d octets", agreed.max_pdu, extra=self._who())
                self._server.associated(client, self)
        self._turn()

    def _gone(self, reason: str, orderly: bool = False) -> None:
        client, self.client = self.client, None
        if client is not None:
            log.info("association ended: %s", reason, extra=self._who())
            self._server.left(client, reason)
        elif not orderly and not reason.startswith("connection lost"):
            log.warning("no association: %s", reason, extra=self._who())

    def _who(self) -> dict[str, object]:
        return {"assoc": self.number, "peer": self._peer}

    # ------------------------------------------------------------------ time

    def _set_timer(self) -> None:
        deadline = self._association.next_deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() == deadline and not self._timer.cancelled():
                return
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._expired)

    def _expired(self) -> None:
        self._association.expire(self._loop.time())
        self._turn()

    def _unsent(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _watch_stuck(self, unsent: int, since: float) -> None:
        now = self._loop.time()
        if self._unsent() != unsent:
            unsent, since = self._unsent(), now
        if now - since >= STUCK_S and self._transport is not None:
            log.warning("cut off: no octet left for %d s", STUCK_S, extra=self._who())
            self._transport.abort()
            return
        self._stuck_timer = self._loop.call_later(STUCK_CHECK_S, self._watch_stuck, unsent, since)
