"""IedServer: a server made from an SCL file, for programs that have values of their own.

server = IedServer.from_scl("simpleIO.cid")
server.start(port=10102)
server.update({"GenericIO/GGIO1.AnIn1.mag.f": 4.2, "GenericIO/GGIO1.AnIn1.t": time.time()})
server.stop()
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from os import PathLike
from pathlib import Path
from typing import NewType

from bus.quality import UtcTime
from bus.version import version
from mapping.diagnostics import Diagnostic, Diagnostics
from mapping.model import FC, Server
from mapping.scl.access_points import server as read_server
from mapping.scl.reader import read
from mms_server.acsi.access_callbacks import AccessCallbacks, Callback, Permissions
from mms_server.acsi.clients import Client
from mms_server.acsi.reporting.entry_buffer import BufferLimits
from mms_server.acsi.set_data_values import OPEN_TO_CLIENTS
from mms_server.engine import Engine
from mms_server.mms.data import UtcTimestamp
from mms_server.model.tree import DataModel
from mms_server.network.access_control import Access, Authenticator, password_is
from mms_server.network.callback_process import CallbackProcess
from mms_server.network.client_events import Listener, NoticeListener
from mms_server.network.event_loop import loop_factory
from mms_server.network.server import MmsServer
from mms_server.network.tls import TlsPort
from mms_server.services.base import Identity
from mms_server.storage.audit_log import FOLDER, AuditLog
from mms_server.storage.store import Store

Handle = NewType("Handle", int)
Values = (
    Mapping[str, object]
    | Mapping[Handle, object]
    | Mapping[str | Handle, object]
    | Iterable[tuple[str | Handle, object]]
)
DEFAULT_CLIENTS = 64
OPEN_IN_THE_LIBRARY = frozenset({FC.SP, FC.SV, FC.SE, FC.BL})


def identity_of(server: Server) -> Identity:
    """The identity of `server` for Identify: the file's manufacturer and type, our own version."""
    return Identity(server.manufacturer or "mms-gateway", server.ied_type or server.ied_name, version)


def folders_of(audit: AuditLog | None) -> dict[str, Path]:
    """The server's own folders that clients may fetch files from, by name."""
    return {} if audit is None else {FOLDER: audit.folder}


class IedServer:
    """An IEC 61850 server for one IED. The cache holds every default of the file from the start.

    All methods may be called from any thread; what one `update` sets, clients see together.
    """

    def __init__(
        self,
        server: Server,
        warnings: Iterable[Diagnostic] = (),
        *,
        state_dir: str | PathLike[str] | None = None,
        buffers: BufferLimits | None = None,
    ) -> None:
        """A server of a model that was read before; see `from_scl`.

        Raises OSError for a state folder that cannot be used, or that a newer version has written (NewerStateError).
        """
        self.warnings = tuple(warnings)
        self.port: int | None = None
        self._described = server
        store = None if state_dir is None else Store(Path(state_dir), server.ied_name)
        audit = None if state_dir is None else AuditLog(Path(state_dir), server.ied_name)
        model = DataModel(server)
        self._process = CallbackProcess(model)
        self._permissions = Permissions.of(model, OPEN_IN_THE_LIBRARY)
        self._engine = Engine(
            model,
            identity_of(server),
            None if store is None else store.load(),
            process=self._process,
            permissions=self._permissions,
            buffers=buffers,
            own_folders=folders_of(audit),
        )
        self._access = Access(server.services.dyn_association_max or DEFAULT_CLIENTS)
        self._on_connection: list[Listener] = []
        self._on_report_control: list[NoticeListener] = []
        self._mms = MmsServer(
            self._engine, self._access, store=store, audit=audit, on_connection=self._connected, on_notice=self._noticed
        )
        nodes = self.model.cache.nodes
        self._stamps = frozenset(slot for slot in self.model.leaves() if isinstance(nodes[slot].kind, UtcTimestamp))
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @classmethod
    def from_scl(
        cls,
        path: str | PathLike[str],
        ied: str | None = None,
        access_point: str | None = None,
        *,
        state_dir: str | PathLike[str] | None = None,
        buffers: BufferLimits | None = None,
    ) -> "IedServer":
        """The server of an SCL file: of the first IED that has one, unless named. Broken parts are in `warnings`.

        Settings that clients write, their data sets and buffered reports are saved in `state_dir`; without it they
        end with the OS process. `buffers` limits the entries of each buffered block: 1 MiB and 30 days with a state folder,
        128 KiB without. Raises MappingError, whose text names file, line and column, if there is nothing to
        serve, and OSError for a folder that cannot be used, or that a newer version has written.
        """
        found = Diagnostics()
        described = read_server(read(Path(path), found), ied, access_point, found)
        return cls(described, found, state_dir=state_dir, buffers=buffers)

    @property
    def ied_name(self) -> str:
        """The name of the IED."""
        return self._described.ied_name

    @property
    def model(self) -> DataModel:
        """The data model with its values; change it through `update` only."""
        return self._engine.model

    # ------------------------------------------------------------------ associations

    def authenticate(self, decide: Authenticator | None = None, *, password: str | None = None) -> None:
        """Refuse associations without `password`, or those to which `decide(client, password)` says False.

        `decide` may be plain or async; `password` is None where the client gave none. Before `start`.
        """
        if (decide is None) == (password is None):
            raise ValueError("either a callable or a password")
        chosen = password_is(password) if password is not None else decide
        self._access = Access(self._access.max_clients, self._access.allow, chosen)
        self._mms.gate.follow(self._access)

    def on_connection(self, listener: Listener) -> None:
        """Call `listener(client, connected)` whenever a client has associated or gone, on the server's thread."""
        self._on_connection.append(listener)

    def _connected(self, client: Client, connected: bool) -> None:
        for listener in self._on_connection:
            listener(client, connected)

    # ------------------------------------------------------------------ permissions and callbacks

    def allow_writes(self, *fcs: FC | str, fc: FC | str | Iterable[FC | str] | None = None) -> None:
        """Let clients write attributes with these functional constraints: any of SP, SV, SE, BL, CF and DC.

        At the start SP, SV, SE and BL are open. Raises ValueError for any other, which no client can write.
        """
        named = () if fc is None else (fc,) if isinstance(fc, str) else tuple(fc)
        for one in (*fcs, *named):
            if FC(one) not in OPEN_TO_CLIENTS:
                raise ValueError(f"{FC(one).value} is never written by clients")
            self._permissions.open_fcs.add(FC(one))

    def deny_writes(self, *fcs: FC | str) -> None:
        """Close these functional constraints for writing, except where a callback of `on_write` grants it."""
        self._permissions.open_fcs.difference_update(FC(one) for one in fcs)

    def on_write(self, where: str | FC, callback: Callback) -> None:
        """Ask `callback(client, reference, value)` before a client writes what `where` names.

        `where` is a reference, an LN (`LD/LN`) or a functional constraint; the nearest callback is asked. It says True,
        False (object-access-denied) or a DataAccessError; plain or async. It opens attributes that `allow_writes` has not
        opened. Raises KeyError for an unknown reference.
        """
        self._add_callback(self._permissions.writes, where, callback)

    def on_read(self, where: str | FC, callback: Callback) -> None:
        """Ask `callback(client, reference)` before a client reads what `where` names, as `on_write` does.

        A refused attribute is an error where it is read by itself, and shows the file's default inside a structure.
        """
        self._add_callback(self._permissions.reads, where, callback)

    def on_control(self, where: str | FC, callback: Callback) -> None:
        """Let `callback(client, reference, action)` carry out the controls of what `where` names: an object, or an LN.

        `action` is a ControlAction. It says True once the process has done it, False (blocked-by-process) or an AddCause.
        With normal security the client's Oper is answered then; with enhanced security it has been answered already, and
        CommandTermination reports the end. Without a callback a control succeeds and changes nothing: the program updates
        `stVal` itself. Only Mod is carried out by the server: Mod.stVal and its effects.
        """
        self._add_callback(self._process.controls, where, callback)

    def on_check(self, where: str | FC, callback: Callback) -> None:
        """Ask `callback(client, reference, action)` before a control begins: interlocks, synchrocheck, authority.

        It is asked at the select too, where there is one (`action.select`). It says True, False or the AddCause with
        which the client is answered negatively.
        """
        self._add_callback(self._process.checking, where, callback)

    def one_of(self, references: Iterable[str]) -> None:
        """Let no two of these controllable objects be selected or operated at the same time (1-of-n control).

        Raises KeyError for what is no controllable object.
        """
        control = self._engine.behaviour.control
        by_reference = {one.reference: one for one in control.objects()}
        named = [self.model.plain_reference(self.model.find_all(one)[0]) for one in references]
        unfit = [one for one in named if one not in by_reference]
        if unfit:
            raise KeyError(f"`{unfit[0]}` takes no commands")
        control.one_of([by_reference[one] for one in named])

    def _add_callback(self, callbacks: AccessCallbacks, where: str | FC, callback: Callback) -> None:
        for one in (FC(where),) if where in FC.__members__ else self.model.find_all(where):
            callbacks.add(one, callback)

    def on_report_control(self, listener: NoticeListener) -> None:
        """Call `listener(client, block, event)` on the server's thread, when something happens to a report control block.

        `block` is `LD/LN$BR$name01`; events are reserved, released, enabled, disabled, gi, purged, overflow (buffered
        entries were lost) and dropped (an unbuffered report was).
        """
        self._on_report_control[:] = [listener]

    def _noticed(self, client: Client | None, block: str, event: str) -> None:
        for listener in self._on_report_control:
            listener(client, block, event)

    def serve_files(
        self, folder: str | PathLike[str], *, delete: bool = False, rename: bool = False, obtain: bool = False
    ) -> None:
        """Let clients list and fetch the files below `folder`; nothing leads out of it. Before `start`.

        Where there is a state folder, `audit/` has the audit log and `events/` an export of each log. With `obtain`
        clients may put files there: new ones of at most 16 MiB, and over old ones if `delete` is allowed too.
        """
        self._engine.behaviour.files.serve(Path(folder), delete=delete, rename=rename, obtain=obtain)

    # ------------------------------------------------------------------ values

    def handle(self, reference: str) -> Handle:
        """A handle for `reference`, for those who feed fast. Raises KeyError that names the nearest names."""
        return Handle(self.model.find(reference))

    def update(
        self,
        values: Values,
        *,
        quiet: bool = False,
        force: bool = False,
    ) -> None:
        """Set leaves, by reference or handle, in one commit: all of them or, if one does not fit, none.

        A time without a quality, as `time.time()`, gets that of this host's clock; a UtcTime has its own. One commit
        gives at most one report of each report control block. `quiet` gives none; with `force` a value
        that is what it was is an event too. From any thread, or from asyncio: nothing here waits.

        Raises KeyError for an unknown reference, TypeError or ValueError for a value that its leaf cannot hold.
        """
        pairs = values.items() if isinstance(values, Mapping) else values
        listed = [(self.model.find(key) if isinstance(key, str) else int(key), value) for key, value in pairs]
        now = self._mms.clock.now()
        stamps, times = self._stamps, UtcTimestamp()
        with self._mms.lock:
            try:
                fitting = [
                    (slot, UtcTime(times.check(value).ns, now.time_quality))
                    if slot in stamps and value.__class__ is not UtcTime
                    else (slot, value)
                    for slot, value in listed
                ]
                self._engine.commit(fitting, now, quiet=quiet, force=force)
            except (TypeError, ValueError):
                for slot, value in listed:
                    self._fits(slot, value)
                raise
        self._mms.changed()

    def _fits(self, slot: int, value: object) -> None:
        """Raise the error of a value that does not fit its leaf, with the leaf's reference."""
        try:
            self.model.cache.check(slot, value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.model.reference(slot)}: {error}") from None

    def get_value(self, reference: str | Handle) -> object:
        """The value of `reference`: a leaf's value, a dict of members, a list of elements. Raises KeyError."""
        slot = self.model.find(reference) if isinstance(reference, str) else int(reference)
        with self._mms.lock:
            return self.model.value(slot)

    def simulate_process(self) -> None:
        """Let every accepted control drive its own status, instead of callbacks: for trying clients out."""
        self._process.simulate(lambda pairs: self.update([(Handle(slot), value) for slot, value in pairs]))

    # ------------------------------------------------------------------ running

    def start(self, port: int = 102, host: str = "0.0.0.0", tls: TlsPort | None = None) -> None:
        """Listen on `host:port` (0 takes a free one, see `port`) in a thread of its own; returns when it listens.

        Raises OSError if it cannot, RuntimeError if it runs already.
        """
        if self._thread is not None:
            raise RuntimeError("the server runs already")
        listening = threading.Event()
        failure: list[OSError] = []
        self._thread = threading.Thread(
            target=self._run, args=(host, port, tls, listening, failure), name=f"mms-{self.ied_name}", daemon=True
        )
        self._thread.start()
        listening.wait()
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]

    def _run(
        self, host: str, port: int, tls: TlsPort | None, listening: threading.Event, failure: list[OSError]
    ) -> None:
        async def serve() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            try:
                self.port = await self._mms.start(host, port, tls)
            except OSError as error:
                failure.append(error)
                return
            finally:
                listening.set()
            await self._stop.wait()
            await self._mms.stop()

        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(serve())

    def stop(self) -> None:
        """Abort all associations and stop listening; returns when it has. Nothing happens if it does not run."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = self._loop = self._stop = self.port = None

    @asynccontextmanager
    async def serving(
        self,
        port: int = 102,
        host: str = "0.0.0.0",
        tls: TlsPort | None = None,
    ) -> AsyncIterator["IedServer"]:
        """Serve within the caller's own event loop for as long as the context lasts. Raises OSError."""
        self.port = await self._mms.start(host, port, tls)
        try:
            yield self
        finally:
            await self._mms.stop()
            self.port = None
