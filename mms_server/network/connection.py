"""One TCP connection and its association (shell): octets in, octets out, and whose turn it is.

All TPKTs of one receive are taken in one pass, all answers of a pass leave in one write. A client that floods gets its
turn and no more; a client that does not read is not read either, and is cut off after 30 s in which no octet left.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Final, Protocol, cast

from bus.quality import Now
from bus.system_clock import SystemClock
from mms_server.acsi import audit_events
from mms_server.acsi.audit_events import Deed
from mms_server.acsi.clients import Client
from mms_server.acsi.control.states import Operation
from mms_server.association.read_fast_path import SHORTEST, Familiar, Room
from mms_server.association.server_end import Answered, Asked, Association, Closed, Request
from mms_server.engine import Engine, Waiting
from mms_server.mms.initiate import Own
from mms_server.network.access_control import Gate
from mms_server.network.callbacks import verdict_of
from mms_server.network.refused_peers import Refusals
from mms_server.network.sockets import set_keepalive
from mms_server.network.tls import TlsPort, TlsRefused, TlsSession
from mms_server.storage.audit_log import AuditLog

TURN_REQUESTS: Final = 32  # requests of one client before the others get their turn
WRITE_HIGH_OCTETS: Final = 512 * 1024
STUCK_S: Final = 30.0
STUCK_CHECK_S: Final = 5.0

log = logging.getLogger("mms.association")


class Host(Protocol):
    """What a connection asks of the server whose port it came to."""

    @property
    def engine(self) -> Engine: ...
    @property
    def own(self) -> Own: ...
    @property
    def clock(self) -> SystemClock: ...
    @property
    def lock(self) -> threading.RLock: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def refusals(self) -> Refusals: ...
    @property
    def audit(self) -> AuditLog | None: ...

    def next_number(self) -> int:
        """The number of the next connection, for the log."""

    def admit(self, connection: "Connection") -> str | None:
        """Why `connection` may not even shake hands; None if it may."""

    def forget(self, connection: "Connection") -> None:
        """The connection is no more."""

    def associated(self, client: Client, connection: "Connection") -> None:
        """`client` is there, behind `connection`."""

    def left(self, client: Client, reason: str) -> None:
        """`client` is gone."""

    def audited(self, event: str, client: Client, deed: Deed) -> None:
        """Put one line into the audit log, if there is one."""

    def familiar(self, context: int) -> Familiar | None:
        """What is known of the Reads of clients that talk in the presentation context `context`."""

    def before_requests(self) -> None:
        """What is due comes before what is asked."""

    def changed(self) -> None:
        """Values may have been committed."""

    def stir(self) -> None:
        """Look again at what waits, in another turn."""

    def beside(self, work: Coroutine[None, None, None]) -> None:
        """Do `work` beside everything else."""

    def complete(self, operation: Operation) -> None:
        """Wait for the end of an operation with enhanced security, beside everything else."""


class Connection(asyncio.Protocol):
    """One TCP connection and its association."""

    def __init__(self, server: Host, tls: TlsPort | None = None) -> None:
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
            self._server.refusals.say(self._who(), "connection refused: %s", refusal)
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
        familiar = self._familiar
        if familiar is not None and not self._events and not self._paused and not self._consulting:
            data = self._answer_known(familiar, data)
            if not data:
                return
        self._association.receive(data, self._loop.time())
        self._turn()
        if familiar is not None:
            familiar.learn(data)

    def _answer_known(self, familiar: Familiar, data: bytes) -> bytes:
        """Answer the Reads at the front of `data` that have been asked before; what is left of it."""
        if not self._association.idle or self._server.engine.behaviour.permissions.reads.any:
            return data
        answers: list[bytes] = []
        position, end = 0, len(data)
        with self._server.lock:
            while end - position >= SHORTEST and len(answers) < TURN_REQUESTS:
                size = data[position + 2] << 8 | data[position + 3]
                packet = data if size == end else data[position : position + size]
                if len(packet) != size or size < SHORTEST:
                    break
                answer = familiar.answer(packet, self._room)
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
            self._server.refusals.say(self._who(), "no TLS: %s", refused.reason)
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
        if request.service in audit_events.TOLD and self._server.audit is not None:
            for event, deed in audit_events.told(request.service, request.body, pdu):
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
            self._server.refusals.say(self._who(), "unknown authentication mechanism %s", asked.acse.mechanism)
        client = Client(self.number, self._peer, 0, None if self._tls is None else self._tls.certificate)
        if not await self._server.gate.authenticated(client, password):
            self._server.audited("refused", client, {"reason": "authentication failed"})
            self._association.refuse()
        elif self._server.gate.full(len(self._server.engine.clients)):
            self._association.refuse(diagnostic=1, reason="as many clients as there may be")
        else:
            agreed = self._association.accept()
            if agreed is not None:
                client.max_pdu = agreed.max_pdu
                client.takes_requests = agreed.called > 0
                client.authenticated = self._server.gate.access.authenticate is not None
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
            self._server.refusals.say(self._who(), "no association: %s", reason)

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
