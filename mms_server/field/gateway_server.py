"""One IED of a site: the field's values from the bus into the cache, the cache to clients. Part of the shell."""

import asyncio
import ipaddress
import logging
import os
import time
from pathlib import Path
from typing import Final

from bus.codec import Message
from bus.endpoint import Endpoint
from bus.liveness import Apply, Event, Liveness, MessageDropped, NeedSnapshot, WorkerBack, WorkerLost
from bus.messages import Command, CommandResult, Heartbeat, SampleBatch, Snapshot
from bus.sockets import Subscriber
from bus.system_clock import SystemClock
from mapping.diagnostics import Diagnostics
from mapping.model import Server
from mapping.plan import IedPlan, Plan, served
from mapping.scl.access_points import server as read_server
from mapping.scl.reader import read
from mms_server.acsi.access_callbacks import Permissions
from mms_server.acsi.reporting.entry_buffer import BufferLimits
from mms_server.acsi.set_data_values import OPEN_TO_CLIENTS
from mms_server.engine import Engine
from mms_server.field.bindings import NEVER
from mms_server.field.commands import CommandPlan, FieldCommands
from mms_server.field.values import FieldValues, SampleChanges
from mms_server.ied_server import DEFAULT_CLIENTS, folders_of, identity_of
from mms_server.model.cache import SlotValue
from mms_server.model.tree import DataModel
from mms_server.network.access_control import Access, password_is
from mms_server.network.server import MmsServer, tell_clock
from mms_server.network.tls import TlsPort
from mms_server.redundancy.replication_sender import ReplicationSender
from mms_server.storage.audit_log import AuditLog
from mms_server.storage.store import Store

RESULT_WAIT_S: Final = 0.1  # how long a result waits for the samples that were published before it
FILL_S: Final = 2.0  # how long the port waits for the first snapshots

log = logging.getLogger("mms.field")


class GatewayServer:
    """Serves one IED of a plan; must be made within a running loop."""

    def __init__(
        self, plan: Plan, ied: IedPlan, scl: Path, run_dir: Path, state_dir: Path | None, peer: Endpoint | None = None
    ) -> None:
        """`peer` receives a copy of persistent state. Raises OSError if the state folder, or the peer, cannot be used."""
        self._clock = SystemClock(plan.assumed_clock_error_ns, on_change=tell_clock)
        self._plan, self._ied = plan, ied
        described = _described(ied, scl)
        model = DataModel(described)
        store = None if state_dir is None else Store(state_dir, ied.name)
        audit = None if state_dir is None else AuditLog(state_dir, ied.name)
        self._commands = FieldCommands(ied.name, _commands(plan, ied, model), self._send_command)
        self._engine = Engine(
            model,
            identity_of(described),
            None if store is None else store.load(),
            process=self._commands,
            permissions=Permissions.of(model, (fc for fc in OPEN_TO_CLIENTS if ied.writes.get(fc.value, True))),
            buffers=BufferLimits(ied.report_buffer_octets, ied.report_buffer_age_ms / 1000),
            own_folders=folders_of(audit),
        )
        self._values = self._values_of(plan, ied)
        self._engine.field_feeds(self._values.held())
        self._loop = asyncio.get_running_loop()
        self._liveness = Liveness((worker.name for worker in plan.workers), self._loop.time())
        self._mirror = None if store is None or peer is None else ReplicationSender(ied.name, peer, store)
        self._server = MmsServer(
            self._engine, _access(ied, described), store=store, mirror=self._mirror, audit=audit, clock=self._clock,
            due=self._due,
        )  # fmt: skip
        if ied.files is not None:
            allowed = ied.files
            self._engine.behaviour.files.serve(
                Path(allowed.folder), delete=allowed.delete, rename=allowed.rename, obtain=allowed.obtain
            )
        self._sequences: dict[str, int] = {}  # of each worker's last publication
        self._results: list[CommandResult] = []  # that wait for the publication with their proof
        self._serving = False  # the first fill is quiet
        self._timer: asyncio.TimerHandle | None = None
        self._filled = asyncio.Event()
        self._commit(self._values.start())
        self._group_controls(ied, model)
        self._bus = Subscriber(
            run_dir, plan.revisions(), on_messages=self._heard, on_refused=_Changes("message refused: %s")
        )

    def _values_of(self, plan: Plan, ied: IedPlan) -> FieldValues:
        return FieldValues(ied, plan.points(), plan.workers_of_points(), self._engine.model, self._engine.process)

    def _group_controls(self, ied: IedPlan, model: DataModel) -> None:
        """Let no two objects of a group of the plan be selected or operated at a time."""
        control = self._engine.behaviour.control
        control.ungroup()
        objects = {one.reference: one for one in control.objects()}
        for group in {one.one_of for one in ied.commands if one.one_of is not None}:
            control.one_of([objects[_full(model, one.reference)] for one in ied.commands if one.one_of == group])

    async def start(self, host: str, port: int, tls: TlsPort | None = None) -> int:
        """Fill the cache, then listen, with `tls` for TLS only; the port. May be called for each. Raises OSError."""
        if not self._serving:
            self._set_timer()
            try:
                async with asyncio.timeout(FILL_S):
                    await self._filled.wait()
            except TimeoutError:
                log.warning("not every worker has answered yet: what it feeds is invalid")
            self._serving = True
        return await self._server.start(host, port, tls)

    async def reload(self, plan: Plan) -> None:
        """Go on with `plan`: no association ends, no block is disabled, and objects that stay bound keep their values.

        It waits until no settings are being written to the field; then all changes are one commit. Raises KeyError or ValueError
        for a plan that needs a new server, and nothing has changed then.
        """
        ied = plan.ied(self._ied.name)
        if served(ied) != served(self._ied) or plan.assumed_clock_error_ns != self._plan.assumed_clock_error_ns:
            raise ValueError("what clients see of the server itself is another: it has to start anew")
        async with self._commands.settling:
            model, before = self._engine.model, self._values
            values, commands = self._values_of(plan, ied), _commands(plan, ied, model)
            self._plan, self._ied, self._values = plan, ied, values
            with self._server.lock:
                self._engine.field_feeds(values.held())
                self._commands.follow(commands)
                self._group_controls(ied, model)
            self._liveness.follow(plan.revisions(), self._loop.time())
            self._bus.follow(plan.revisions())
            self._commit(values.succeed(before, self._clock.now()))
            self._set_timer()

    async def stop(self) -> None:
        """End every association and leave the bus."""
        if self._timer is not None:
            self._timer.cancel()
        await self._server.stop()
        if self._mirror is not None:
            self._mirror.close()
        self._bus.close()

    # ------------------------------------------------------------------ the bus

    def _heard(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, SampleBatch | Heartbeat | Snapshot):
                self._follow(self._liveness.heard(message, self._loop.time()))
                self._sequences[message.worker] = message.sequence
                self._release_results()
            elif isinstance(message, CommandResult):
                self._results.append(message)
                self._loop.call_later(RESULT_WAIT_S, self._release_results, message)
                self._release_results()
        if self._liveness.synced():
            self._filled.set()
        self._set_timer()

    def _release_results(self, overdue: CommandResult | None = None) -> None:
        """Hand on the results whose proof has been received: a client that reads after its answer sees the new status."""
        waiting, self._results = self._results, []
        for result in waiting:
            if result is overdue or self._sequences.get(result.worker, 0) >= result.sequence:
                self._commands.heard(result)
            else:
                self._results.append(result)

    def _follow(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Apply(SampleBatch() as batch):
                    seen = [batch.monotonic_ns] * len(batch.samples)
                    self._commands.sampled(batch.samples, seen)
                    self._take(self._values.samples(batch.samples, seen, batch.time_quality, self._clock.now()))
                case Apply(Snapshot() as snapshot):
                    seen = [snapshot.monotonic_ns - age * 1_000_000 for age in snapshot.ages_ms]
                    self._commands.sampled(snapshot.samples, seen)
                    self._take(self._values.samples(snapshot.samples, seen, snapshot.time_quality, self._clock.now()))
                case NeedSnapshot(worker):
                    self._bus.request_snapshot(worker)
                case WorkerLost(worker):
                    log.warning("worker %s is silent: all that it feeds is invalid", worker, extra={"worker": worker})
                    self._commands.lost(worker)
                    self._commit(self._values.lost(worker, self._clock.now()))
                case WorkerBack(worker, restarted):
                    known = "there again, restarted" if restarted else "there"
                    log.info("worker %s is %s", worker, known, extra={"worker": worker})
                    if restarted:
                        self._commands.restarted(worker)
                case MessageDropped(worker, reason):
                    log.debug("message of worker %s dropped: %s", worker, reason, extra={"worker": worker})
                case _:
                    pass  # a heartbeat carries nothing else

    def _send_command(self, worker: str, command: Command) -> bool:
        return self._bus.send_command(worker, command)

    def _take(self, found: SampleChanges) -> None:
        self._commit(found.first, quiet=True)
        self._commit(found.changes)

    def _commit(self, pairs: list[SlotValue], *, quiet: bool = False) -> None:
        if pairs:
            with self._server.lock:
                self._engine.commit(pairs, self._clock.now(), quiet=quiet or not self._serving)
            self._server.changed()

    # ------------------------------------------------------------------ time

    def _due(self) -> None:
        """Commit stale values before any request: they are not read as good."""
        if time.monotonic_ns() >= self._values.next_deadline_ns():
            self._commit(self._values.stale(self._clock.now()))

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = self._liveness.next_deadline() - self._loop.time()
        stale = self._values.next_deadline_ns()
        if stale != NEVER:
            wait = min(wait, (stale - time.monotonic_ns()) / 1e9)
        self._timer = self._loop.call_later(min(max(wait, 0.001), 1.0), self._tick)

    def _tick(self) -> None:
        self._due()
        self._follow(self._liveness.tick(self._loop.time()))
        self._set_timer()


class _Changes:
    """Logs a line when it changes, not each time it is given."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._last = ""

    def __call__(self, reason: str) -> None:
        if reason != self._last:
            self._last = reason
            log.warning(self._text, reason)


def _described(ied: IedPlan, scl: Path) -> Server:
    """The model that the plan was compiled with. Raises MappingError."""
    found = Diagnostics()
    return read_server(read(scl, found), ied.name, ied.access_point, found)


def _commands(plan: Plan, ied: IedPlan, model: DataModel) -> CommandPlan:
    return CommandPlan(
        {_full(model, one.reference): one for one in ied.commands},
        {_slot(model, one.target): one for one in ied.settings},
        plan.points(),
        plan.workers_of_points(),
        plan.revisions(),
    )


def _full(model: DataModel, reference: str) -> str:
    """`reference` with the full name of its logical device."""
    ld, slash, rest = reference.partition("/")
    domain = model.domain(ld)
    return reference if domain is None else f"{domain.name.decode()}{slash}{rest}"


def _slot(model: DataModel, target: str) -> int:
    domain, _, item = target.partition("/")
    return model.slot(domain.encode(), item.encode())


def _access(ied: IedPlan, described: Server) -> Access:
    limits = [one for one in (ied.max_clients, described.services.dyn_association_max) if one]
    password = password_of(ied)
    return Access(
        max_clients=min(limits, default=DEFAULT_CLIENTS),
        allow=tuple(ipaddress.ip_network(one, strict=False) for one in ied.security.allow),
        authenticate=None if password is None else password_is(password),
    )


def password_of(ied: IedPlan) -> str | None:
    """The password that the site names. Raises OSError for a file, KeyError for a variable that is not there."""
    if ied.security.password_file is not None:
        return Path(ied.security.password_file).read_text(encoding="utf-8").rstrip("\r\n")
    return None if ied.security.password_env is None else os.environ[ied.security.password_env]
