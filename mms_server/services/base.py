"""A confirmed service: what every file of this folder offers, as one constant `SERVICE`.

`answer(context, body)` gets the contents of the service's element in the request and returns the service's element for
the response, tag and all; or a ServiceError, which becomes the confirmed-error PDU. An argument that means nothing
raises ArgumentError (or WireError, from the cursor): the client gets a Reject. A service keeps no memory; what must
outlive a request is behaviour and belongs to acsi/.

A service whose answer waits for the embedding program returns a Deferred: the client's later requests wait with it. One
whose answer waits for the client itself returns LATER: its requests go on meanwhile, and the behaviour answers.

The engine checks the answer's size; a service whose answer can be cut (GetNameList) does so by `context.room`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from bus.quality import Stamp
from mms_server.acsi.access_callbacks import AccessCallbacks, Deferred
from mms_server.acsi.clients import Client
from mms_server.acsi.control.control import Control
from mms_server.acsi.control.states import Operation, Selection
from mms_server.acsi.data_sets import CreatedDataSets
from mms_server.acsi.file_transfer.files import Files
from mms_server.acsi.file_transfer.set_file import SetFile
from mms_server.acsi.goose_sv_blocks import GooseSvBlocks
from mms_server.acsi.log_control.logs import Logs
from mms_server.acsi.persistence import Persistence
from mms_server.acsi.reporting.rcb_writing import RcbWriting
from mms_server.acsi.reporting.reporting import Reporting
from mms_server.acsi.set_data_values import SetDataValues
from mms_server.acsi.setting_groups import SettingGroups
from mms_server.acsi.tracking.service_names import ServiceName
from mms_server.acsi.tracking.tracking import Tracking
from mms_server.mms.errors import DataAccessError, ServiceError, ServiceFailure
from mms_server.model.cache import Changes
from mms_server.model.tree import DataModel

Execute = Callable[[Operation], Any]
Check = Callable[[Selection], Any]


@dataclass(frozen=True, slots=True)
class Identity:
    """What Identify answers."""

    vendor: str
    model: str
    revision: Callable[[], str]  # looked up at the first Identify: it costs a start 30 ms


@dataclass(slots=True)
class Behaviour:
    """What has a memory: the behaviours of one server, each a module of acsi/."""

    persistence: Persistence
    sets: CreatedDataSets
    reporting: Reporting
    blocks: RcbWriting
    setting_groups: SettingGroups
    writing: SetDataValues
    control: Control
    files: Files
    set_file: SetFile
    logs: Logs
    goose_sv_blocks: GooseSvBlocks
    tracking: Tracking | None  # None: the model tracks no services
    read_callbacks: AccessCallbacks
    execute: Execute  # how an operation begins; its verdict is True, False or an AddCause
    check: Check | None = None  # whether a selection may be; None: nobody is asked


@dataclass(slots=True)
class Context:
    """What a service may look at: the model and what behaves, who the server is, who asks, how long an answer may be.

    `commit` takes values as the field's do: reports follow. `now` is the time of the request.
    """

    model: DataModel
    behaviour: Behaviour
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
    """The answer comes by itself."""


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
