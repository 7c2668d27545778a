"""A client's wire that ends in an engine of this process: two ends, no network, virtual time."""

from collections.abc import Callable

from bus.quality import Stamp
from mms_server.acsi.clients import Client
from mms_server.association.events import AssociateIndication, Request
from mms_server.association.server_end import Association
from mms_server.client.client import MmsClient
from mms_server.engine import Engine, Waiting
from mms_server.mms.add_cause import AddCause
from mms_server.mms.initiate import ServerLimits
from tests.support.engine_client import CLOCK, verdict


class MemoryWire:
    """Wire in memory between a client and an engine, without a shell. Time passes only while the client waits.

    `verdict` is the result of the process at the end of every operation with enhanced security; `elsewhere` happens once, the
    first time that the client waits and nothing comes.
    """

    def __init__(self, engine: Engine, password: str | None = None, max_pdu: int = 65_000) -> None:
        self.engine = engine
        self.association = Association(ServerLimits(services=engine.supported(), max_pdu=max_pdu), 0.0)
        self.client: Client | None = None
        self.password = password
        self.verdict: bool | AddCause = True
        self.elsewhere: Callable[[], None] | None = None
        self.closed = False

    def now(self) -> Stamp:
        return CLOCK.now()

    def send(self, octets: bytes) -> None:
        self.association.receive(octets, 0.0)
        for event in self.association.events():
            match event:
                case AssociateIndication():
                    self._decide(event)
                case Request():
                    self._answer(event)
                case _:
                    self._left()

    def _decide(self, indication: AssociateIndication) -> None:
        given = indication.acse.password
        if self.password is not None and given != self.password.encode():
            self.association.refuse()
            return
        agreed = self.association.accept()
        assert agreed is not None
        self.client = Client(1, "127.0.0.1:50000", agreed.max_pdu)
        self.engine.opened(self.client)

    def _answer(self, request: Request) -> None:
        assert self.client is not None
        answered = self.engine.request(self.client, request.invoke_id, request.service, request.body, CLOCK.now())
        if isinstance(answered, Waiting):
            answered = self.engine.finish(answered, [verdict(call) for call in answered.calls], CLOCK.now())
        assert isinstance(answered, bytes)
        for before in self.client.before_answer:
            self.association.send(before)
        self.client.before_answer.clear()
        self.association.answer(answered, 0.0)

    def _left(self) -> None:
        if self.client is not None:
            self.engine.closed(self.client, CLOCK.now())
            self.client = None

    def receive(self, until_ns: int) -> bytes | None:
        while True:
            self._pump()
            octets = self.association.octets_to_send()
            if octets or self.association.closing:
                return octets
            if CLOCK.ns >= until_ns:
                return None
            if self.elsewhere is not None:
                happens, self.elsewhere = self.elsewhere, None
                happens()
                continue
            next_ns = min(max(self.engine.next_deadline_ns(), CLOCK.ns), until_ns)
            CLOCK.pass_ms((next_ns - CLOCK.ns) / 1e6, self.engine)

    def _pump(self) -> None:
        self.engine.persistence.take()
        if self.client is None:
            return
        for operation in self.engine.begun():
            self.engine.ended(operation, self.verdict, CLOCK.now())
        for pdu in self.engine.pull(self.client):
            self.association.send(pdu)

    def close(self) -> None:
        self.closed = True
        self._left()


def connected(engine: Engine, password: str | None = None, max_pdu: int = 65_000) -> tuple[MmsClient, MemoryWire]:
    """A client of `engine`, and its wire."""
    wire = MemoryWire(engine, password, max_pdu)
    return MmsClient(wire, "memory", password=password), wire
