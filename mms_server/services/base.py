"""A confirmed service: what every file of this folder offers, as one constant `SERVICE`.

`answer(context, body)` gets the contents of the service's element in the request and returns the service's element for
the response, with its tag; or a ServiceError, which becomes the confirmed-error PDU. An invalid argument raises
ArgumentError (or WireError, from the cursor): the client gets a Reject. A service keeps no state; state that outlives a
request is behaviour and belongs to acsi/.

A service whose answer waits for the embedding program returns a Deferred: the client's later requests wait with it. One
whose answer waits for the client itself returns LATER: its requests go on meanwhile, and the behaviour answers.

The engine checks the answer's size; a service whose answer can be cut (GetNameList) does so by `context.room`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from bus.quality import Stamp
from mms_server.acsi.access_callbacks import Deferred
from mms_server.acsi.behaviours import Behaviours
from mms_server.acsi.clients import Client
from mms_server.acsi.tracking.service_names import ServiceName
from mms_server.mms.errors import DataAccessError, ServiceError, ServiceFailure
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of the server, as Identify answers it."""

    vendor: str
    model: str
    revision: Callable[[], str]  # looked up at the first Identify: it costs a start 30 ms


@dataclass(slots=True)
class Context:
    """The context of a request: model, behaviours, identity of the server, client, and the room for the answer in octets.

    `commit` takes values as those of the field: reports follow. `now` is the time of the request.
    """

    model: DataModel
    behaviour: Behaviours
    identity: Identity
    client: Client
    room: int
    commit: Callable[[Iterable[tuple[int, object]], Stamp], Changes]
    now: Stamp
    invoke_id: int = 0

    def track(self, service: ServiceName, reference: str, error: DataAccessError | ServiceError | None) -> None:
        """Track a service that has no tracking object of its own; `error` None: it succeeded."""
        if self.behaviour.tracking is not None:
            self.behaviour.tracking.other(self.client, service, reference, error, self.now)


class Later:
    """The type of LATER: the behaviour answers the request itself, when the client has answered."""


LATER: Final = Later()


@dataclass(frozen=True, slots=True)
class Service:
    """One confirmed service; `bit` is its number in ServiceSupportOptions. `needs_files`: only where there is a folder.

    `needs_obtain`: only where clients may put files there.
    """

    name: str
    tag: int
    bit: int
    answer: Callable[[Context, bytes], bytes | ServiceError | ServiceFailure | Deferred | Later]
    needs_files: bool = False
    needs_obtain: bool = False
