"""Session: one association over a wire, a request and the wait for its answer; reports are kept until they are taken.

The wire is a socket for users and two ends in memory for tests; the session itself touches neither socket nor clock.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NoReturn, Protocol, TypeVar

from bus.quality import Stamp
from mms_server.association import client_end
from mms_server.association.client_end import Answer, ClientAssociation, ClientPhase, Closed, Opened, Unconfirmed
from mms_server.client import services
from mms_server.client.errors import MmsError, understood
from mms_server.client.information import Information, decode_information
from mms_server.client.types import Value, decode, parts
from mms_server.mms.errors import DataAccessError
from mms_server.stack.errors import WireError

HEARD_LIMIT: Final = 10_000  # reports and the like that wait for somebody to want them; the oldest go first
RELEASE_S: Final = 1.0

T = TypeVar("T")


class Wire(Protocol):
    """Moves octets to and from one server, and has the clocks."""

    def now(self) -> Stamp:
        """Both clocks."""

    def send(self, octets: bytes) -> None:
        """Write them all. Raises OSError."""

    def receive(self, until_ns: int) -> bytes | None:
        """The next octets, at the monotonic `until_ns` at the latest: None if none come, empty if the server has closed."""

    def close(self) -> None:
        """Let go of the connection."""


class Session:
    """One open association; `address` is what its errors name. Raises MmsError if the server does not let us in."""

    def __init__(self, wire: Wire, address: str, password: str | None = None, timeout_s: float = 10.0) -> None:
        self._wire = wire
        self.address = address
        self.timeout_s = timeout_s
        self._association = ClientAssociation(None if password is None else password.encode())
        self._invoke_id = 0
        self._answers: list[Answer] = []
        self.heard: deque[Information] = deque(maxlen=HEARD_LIMIT)
        self._ended: str | None = None
        self._open()

    def _open(self) -> None:
        until_ns = self.until_ns(self.timeout_s)
        self._flush()
        while self._association.phase is not ClientPhase.OPEN:
            if not self.listen(until_ns):
                self._give_up(f"no association within {self.timeout_s:g} s")

    @property
    def ended(self) -> bool:
        """True once the association is over."""
        return self._ended is not None

    def now(self) -> Stamp:
        """Both clocks."""
        return self._wire.now()

    def until_ns(self, seconds: float) -> int:
        """The monotonic time in so many seconds."""
        return self._wire.now().monotonic_ns + round(seconds * 1e9)

    def ask(self, subject: str, service: int, body: bytes) -> bytes:
        """The contents of the response's element. Raises MmsError about `subject` for a refusal, or for no answer in time."""
        if self._ended is not None:
            raise MmsError(subject, self._ended)
        self._invoke_id += 1
        try:
            self._association.request(self._invoke_id, service, body)
        except ValueError as error:
            raise MmsError(subject, str(error)) from error
        self._flush()
        until_ns = self.until_ns(self.timeout_s)
        while (answer := self._answered()) is None:
            if not self.listen(until_ns):
                self._give_up(f"no answer to {subject} within {self.timeout_s:g} s")
        with understood(subject):
            return _element(subject, service, answer)

    def _answered(self) -> Answer | None:
        """The answer to the last request; late and foreign ones are dropped. One without invokeID answers the last request."""
        mine = [one for one in self._answers if one.invoke_id in (self._invoke_id, None)]
        self._answers.clear()
        return mine[0] if mine else None

    def read(self, subject: str, *variables: tuple[str, str]) -> list[bytes | DataAccessError]:
        """The Data of each (domain, item), or its error. Raises MmsError."""
        body = self.ask(subject, services.READ, services.read([services.variable(*one) for one in variables]))
        with understood(subject):
            results = services.read_results(body)
        if len(results) != len(variables):
            raise MmsError(subject, f"{len(results)} results, expected {len(variables)}")
        return results

    def value(self, subject: str, domain: str, item: str) -> Value:
        """The value of one variable. Raises MmsError."""
        (result,) = self.read(subject, (domain, item))
        if isinstance(result, DataAccessError):
            raise MmsError.refused(subject, result)
        with understood(subject):
            return decode(result)

    def write(self, subject: str, domain: str, item: str, data: bytes) -> None:
        """Write one variable. Raises MmsError."""
        body = self.ask(subject, services.WRITE, services.write([services.variable(domain, item)], [data]))
        with understood(subject):
            results = services.write_results(body)
        if len(results) != 1:
            raise MmsError(subject, f"{len(results)} results of a write, expected 1")
        if results[0] is not None:
            raise MmsError.refused(subject, results[0])

    def take(self, wanted: Callable[[Information], T | None]) -> T | None:
        """Remove the first kept information for which `wanted` gives a value; that value, None if there is none."""
        for place, information in enumerate(self.heard):
            found = wanted(information)
            if found is not None:
                del self.heard[place]
                return found
        return None

    def hear(self, wanted: Callable[[Information], T | None], until_ns: int) -> T | None:
        """As `take`, waiting until `until_ns` for it to come. Raises MmsError if the association ends meanwhile."""
        while (found := self.take(wanted)) is None:
            if not self.listen(until_ns):
                return None
        return found

    def listen(self, until_ns: int) -> bool:
        """Receive once, waiting until `until_ns` at most; False if nothing came. Raises MmsError if the association is over."""
        if self._ended is not None:
            raise MmsError(self.address, self._ended)
        try:
            octets = self._wire.receive(until_ns)
        except OSError as error:
            octets = b""
            self._ended = f"connection lost: {error}"
        if octets is None:
            return False
        self._association.receive(octets)
        self._flush()
        self._sort()
        return True

    def _sort(self) -> None:
        for event in self._association.events():
            match event:
                case Answer():
                    self._answers.append(event)
                case Unconfirmed(contents):
                    try:
                        information = decode_information(contents)
                    except WireError as error:
                        self._give_up(str(error))
                    if information is not None:
                        self.heard.append(information)
                case Closed(reason):
                    self._ended = self._ended or reason
                    self._wire.close()
                    raise MmsError(self.address, self._ended)
                case Opened():
                    pass

    def _flush(self) -> None:
        octets = self._association.octets_to_send()
        if octets:
            try:
                self._wire.send(octets)
            except OSError as error:
                self._ended = f"connection lost: {error}"
                raise MmsError(self.address, self._ended) from error

    def _give_up(self, reason: str) -> NoReturn:
        """Close the connection: an answer has not come, or cannot be decoded, so later octets cannot be trusted."""
        self._association.abort(reason)
        self._ended = reason
        self._flush()
        self._wire.close()
        raise MmsError(self.address, reason)

    def close(self) -> None:
        """End it in order, and let go of the connection. An association that has ended already stays as it is."""
        if self._ended is not None:
            return
        self._association.release()
        try:
            self._flush()
            while self.listen(self.until_ns(RELEASE_S)):
                pass
        except MmsError:
            return  # how it ended interests nobody now
        self._ended = "closed"
        self._wire.close()


def _element(subject: str, service: int, answer: Answer) -> bytes:
    octets = answer.contents
    if answer.kind == client_end.REJECT:
        raise MmsError(subject, f"rejected ({octets.hex()})")
    if answer.kind == client_end.ERROR:
        error = services.service_error(octets)
        if error is None:
            raise MmsError(subject, f"refused ({octets.hex()})")
        raise MmsError.refused(subject, error)
    for tag, start, end in parts(octets, 0, len(octets)):
        if tag == service:
            return octets[start:end]
    raise MmsError(subject, f"answered by another service ({octets[:8].hex()})")
