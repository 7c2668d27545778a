"""One TCP connection and its association (shell): octets in, octets out, a limited number of requests per turn.

    inlet ──► known_reads ──► association ──► turns ──► engine
                   └─────────────► outlet ◄───────────────┘

All TPKTs of one receive are decoded in one pass, all answers of a pass leave in one write. A client that floods the server
with requests gets no more than its turn. If a client stops reading its socket, the server stops reading requests from it,
see `outlet`.
"""

import asyncio
import logging
import threading
from typing import Protocol, cast

from bus.endpoint import Endpoint
from bus.quality import Stamp
from bus.system_clock import SystemClock
from mms_server.acsi import audit_events
from mms_server.acsi.clients import Client
from mms_server.association.events import AssociateIndication, PeerResponse, Request
from mms_server.association.read_fast_path import ReadFastPath, Room
from mms_server.association.server_end import Association
from mms_server.engine import Engine, Waiting
from mms_server.mms.initiate import Negotiated, ServerLimits
from mms_server.network.access_control import Gate
from mms_server.network.callbacks import verdict_of
from mms_server.network.client_events import ClientEvents
from mms_server.network.connection.association_timer import AssociationTimer
from mms_server.network.connection.inlet import Inlet
from mms_server.network.connection.known_reads import KnownReads
from mms_server.network.connection.outlet import Outlet
from mms_server.network.connection.turns import Turns
from mms_server.network.operations import Operations
from mms_server.network.refused_peers import Refusals
from mms_server.network.sockets import set_keepalive
from mms_server.network.tls import TlsPort

log = logging.getLogger("mms.association")


class Admission(Protocol):
    """The table of connections, as a connection needs it."""

    def next_number(self) -> int:
        """The number of the next connection, for the log."""

    def admit(self, connection: "Connection") -> str | None:
        """The reason to refuse `connection` before the handshake; None to admit it."""

    def forget(self, connection: "Connection") -> None:
        """Remove a connection that was closed."""


class Host(Protocol):
    """The server that accepted the connection, as a connection needs it."""

    @property
    def engine(self) -> Engine: ...
    @property
    def own(self) -> ServerLimits: ...
    @property
    def clock(self) -> SystemClock: ...
    @property
    def lock(self) -> threading.RLock: ...
    @property
    def gate(self) -> Gate: ...
    @property
    def refusals(self) -> Refusals: ...
    @property
    def connections(self) -> Admission: ...
    @property
    def events(self) -> ClientEvents: ...
    @property
    def operations(self) -> Operations: ...

    def associated(self, client: Client, connection: "Connection") -> None:
        """`client` has associated over `connection`."""

    def left(self, client: Client, reason: str) -> None:
        """`client` is gone."""

    def read_fast_path(self, context: int) -> ReadFastPath | None:
        """The read fast path of clients whose presentation context of MMS is `context`."""

    def before_requests(self) -> None:
        """Commit values that are due before a request is answered."""

    def changed(self) -> None:
        """Values may have been committed."""

    def mark_dirty(self) -> None:
        """Let the next turn of the loop flush the engine's output once more."""


class Connection(asyncio.Protocol):
    """One TCP connection and its association."""

    _inlet: Inlet  # these three from `connection_made` on, which asyncio calls first
    _outlet: Outlet
    _turns: Turns

    def __init__(self, server: Host, tls: TlsPort | None = None) -> None:
        self.secured_by = tls
        self.number = server.connections.next_number()
        self.client: Client | None = None
        self.host = ""
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._tls = None if tls is None else tls.session()
        self._association = Association(server.own, self._loop.time())
        self._timer = AssociationTimer(self._association)
        self._who: dict[str, object] = {"assoc": self.number, "peer": "?"}
        self._known: KnownReads | None = None  # once it is associated
        self._decision: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the connection or close it at once."""
        wire = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername") or ("?", 0)
        self.host, self._who["peer"] = str(address[0]), str(Endpoint(str(address[0]), address[1]))
        self._outlet = Outlet(wire, self._tls, self._who)
        self._inlet = Inlet(wire, self._tls, self._outlet, self._server.refusals, self._who)
        self._turns = Turns(self._association, self._outlet)
        refusal = self._server.connections.admit(self)
        if refusal is not None:
            self._server.refusals.say(self._who, "connection refused: %s", refusal)
            self._outlet.cut()
            return
        set_keepalive(transport.get_extra_info("socket"))
        self._outlet.open()
        self._timer.set(self._turn)

    def data_received(self, data: bytes) -> None:
        """Octets from the peer."""
        if self._tls is not None:
            data = self._inlet.plain(data)
            if not data:
                return
        self._server.before_requests()
        known = self._known
        if known is not None and self._turns.idle:
            data = known.answer(data)
            if not data:
                return
        self._association.receive(data, self._loop.time())
        self._turn()
        if known is not None:
            known.learn(data)

    def pause_writing(self) -> None:
        """The peer does not read: stop reading requests from it."""
        self._inlet.read(False)
        self._outlet.pause()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._outlet.resume()
        self._turn()
        self.push()

    def connection_lost(self, error: Exception | None) -> None:
        """The end of the connection, from whichever side."""
        self._association.abort("connection lost")
        self._timer.cancel()
        self._outlet.stop_watching()
        if self._decision is not None:
            self._decision.cancel()
        self._server.connections.forget(self)
        self._gone(f"connection lost{f': {error}' if error else ''}")

    # ------------------------------------------------------------------ our side

    def stop(self, reason: str) -> None:
        """Abort the association, with an abort to the peer."""
        self._association.abort(reason)
        self._turn()

    def cut(self) -> None:
        """Close the connection without waiting for the peer."""
        self._outlet.cut()

    def push(self) -> None:
        """Send the PDUs that the engine has for this client, unless the client does not read."""
        if self._outlet.paused or self.client is None:
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
            self._server.events.audited("file-obtain", self.client, {"file": obtained.name, "result": obtained.result})
            self._association.answer(obtained.pdu, self._loop.time())
            self._turns.again(self._turn)  # what waited for its turn
        self._flush()
        self._server.mark_dirty()  # there may be more: everybody gets a turn first

    def _turn(self) -> None:
        at = self._server.clock.now()
        for event in self._turns.events(self._turn):
            if isinstance(event, Request):
                self._answer(event, at)
            elif isinstance(event, PeerResponse):
                self._peer_answered(event, at)
            elif isinstance(event, AssociateIndication):
                self._decision = self._loop.create_task(self._decide(event))
            else:
                self._gone(event.reason, event.orderly)
        self._flush()
        self._server.changed()

    def _flush(self) -> None:
        if self._outlet.closing():
            return
        octets = self._association.octets_to_send()
        if octets:
            self._outlet.write(octets)
        if self._association.closing:
            self._outlet.close()
            return
        self._inlet.read(not self._outlet.paused and not self._association.full)
        self._timer.set(self._turn)

    # ------------------------------------------------------------------ requests

    def _answer(self, request: Request, at: Stamp) -> None:
        if self.client is None:
            return  # it has gone while its requests waited
        with self._server.lock:
            pdu = self._server.engine.request(self.client, request.invoke_id, request.service, request.body, at)
        if isinstance(pdu, Waiting):
            self._turns.consulting = True
            self._server.operations.beside(self._consult(pdu, request))
        elif pdu is not None:
            self._reply(self.client, pdu, request)

    def _peer_answered(self, response: PeerResponse, at: Stamp) -> None:
        if self.client is not None:
            with self._server.lock:
                self._server.engine.answered(self.client, response.tag, response.body, at)

    def _reply(self, client: Client, pdu: bytes, request: Request) -> None:
        for before in client.before_answer:
            if len(before) <= client.max_pdu:
                self._association.send(before)
        client.before_answer.clear()
        if request.service in audit_events.AUDITED:
            self._server.events.answered(client, request.service, request.body, pdu)
        self._association.answer(pdu, self._loop.time())

    async def _consult(self, waiting: Waiting, request: Request) -> None:
        """Ask the embedding program; later requests of this client wait, those of other clients do not.

        It goes on when the client is gone: a command that has reached the process is completed, and frees its object.
        """
        verdicts = [await verdict_of(call) for call in waiting.calls]
        with self._server.lock:
            pdu = self._server.engine.finish(waiting, verdicts, self._server.clock.now())
            begun = self._server.engine.begun()
        self._turns.consulting = False
        if pdu is not None:
            self._reply(waiting.client, pdu, request)
            self._turn()
        for operation in begun:
            self._server.operations.complete(operation)
        self._server.changed()

    # ------------------------------------------------------------------ coming and going

    async def _decide(self, indication: AssociateIndication) -> None:
        password = indication.acse.password
        if indication.acse.mechanism is not None and password is None:
            self._server.refusals.say(self._who, "unknown authentication mechanism %s", indication.acse.mechanism)
        client = Client(self.number, str(self._who["peer"]), 0, None if self._tls is None else self._tls.certificate)
        if not await self._server.gate.authenticated(client, password):
            self._server.events.audited("refused", client, {"reason": "authentication failed"})
            self._association.refuse()
        elif self._server.gate.full(len(self._server.engine.clients)):
            self._association.refuse(diagnostic=1, reason="as many clients as there may be")
        else:
            agreed = self._association.accept()
            if agreed is not None:
                self._opened(client, agreed)
        self._turn()

    def _opened(self, client: Client, agreed: Negotiated) -> None:
        client.max_pdu = agreed.max_pdu
        client.takes_requests = agreed.called > 0
        client.authenticated = self._server.gate.access.authenticate is not None
        self.client = client
        fast_path = self._server.read_fast_path(self._association.context)
        if fast_path is not None:
            room = Room.of(self._association.tpdu_octets, agreed.max_pdu)
            callbacks = self._server.engine.behaviour.permissions.reads
            self._known = KnownReads(fast_path, room, self._server.lock, callbacks, self._outlet)
        log.info("associated, PDU %d octets", agreed.max_pdu, extra=self._who)
        self._server.associated(client, self)

    def _gone(self, reason: str, orderly: bool = False) -> None:
        client, self.client = self.client, None
        if client is not None:
            log.info("association ended: %s", reason, extra=self._who)
            self._server.left(client, reason)
        elif not orderly and not reason.startswith("connection lost"):
            self._server.refusals.say(self._who, "no association: %s", reason)
