"""Standby: follows the other gateway of a pair, keeps copies of its stores, takes over when it is silent. Shell."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bus.endpoint import Endpoint
from mms_server.redundancy.messages import Ack, Begin, PairMessage, Role, Rows, Status
from mms_server.redundancy.replica import Replica, begin_above
from mms_server.redundancy.roles import STATUS_S, RoleElection
from mms_server.redundancy.sockets import PairEndpoint, PairLink

log = logging.getLogger("gateway.pair")

TAKEOVER_AFTER_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class PairOptions:
    """Options of the command line for a pair."""

    peer: Endpoint  # where the other one listens
    listen: Endpoint  # where this one does
    first: bool = True  # may begin alone
    takeover_after_s: float = TAKEOVER_AFTER_S


class StopCondition(Protocol):
    """The condition on which the gateway stops."""

    async def wait(self) -> None:
        """Return when it is time."""

    async def to_reload(self) -> None:
        """Return when a reload is asked for."""

    @property
    def now(self) -> bool:
        """True once it is time."""


class Standby:
    """This gateway's half of the pair, from its start to its end; must be made within a running loop."""

    def __init__(self, options: PairOptions, ieds: list[str], state_dir: Path) -> None:
        """Raises OSError for an address that cannot be used."""
        self._options = options
        self._ieds = ieds
        self._state_dir = state_dir
        self._loop = asyncio.get_running_loop()
        now = self._loop.time()
        self._election = RoleElection(
            str(options.listen), first=options.first, takeover_after_s=options.takeover_after_s, now=now
        )
        self._replicas: dict[str, Replica] = {}
        self._failing = False
        self._said = False  # the line that it is in sync
        self._turned = asyncio.Event()
        self._refused: set[str] = set()
        self._endpoint = PairEndpoint(
            options.listen, options.peer, on_message=self._heard, on_refused=self._not_believed
        )
        try:
            self._link = PairLink(options.peer, lambda _message: None)
        except OSError:
            self._endpoint.close()
            raise
        self._timer = self._loop.call_later(0, self._tick)
        log.info("waits for a word of %s", options.peer)

    # ------------------------------------------------------------------ for who runs the site

    async def until_active(self, stop: StopCondition) -> bool:
        """Wait until this gateway is to serve; False if it was told to end before."""
        await self._until(lambda: self._election.role is Role.ACTIVE, stop)
        return not stop.now

    async def until_not_active(self, stop: StopCondition) -> None:
        """Wait until the other one serves instead, or this one is told to end."""
        await self._until(lambda: self._election.role is not Role.ACTIVE, stop)

    @property
    def active(self) -> bool:
        """True while this gateway is to serve."""
        return self._election.role is Role.ACTIVE

    async def _until(self, what: Callable[[], bool], stop: StopCondition) -> None:
        ending = asyncio.ensure_future(stop.wait())
        ending.add_done_callback(lambda _: self._turned.set())
        try:
            while not what() and not stop.now:
                self._turned.clear()
                await self._turned.wait()
        finally:
            ending.cancel()

    def close(self) -> None:
        """Tell the other one that this one serves no more, and leave."""
        self._timer.cancel()
        self._drop_replicas()
        status = self._election.status()
        self._link.send(Status(status.name, Role.ENDED, status.term, status.first))
        self._link.close()
        self._endpoint.close()

    # ------------------------------------------------------------------ words and silence

    def _tick(self) -> None:
        self._endpoint.drain()  # what has come is no silence, however long we were busy
        self._turn(self._election.role, self._election.tick(self._loop.time(), time.time_ns()))
        self._link.send(self._election.status())
        self._timer = self._loop.call_later(STATUS_S, self._tick)

    def _heard(self, who: bytes, message: PairMessage) -> None:
        if isinstance(message, Status):
            before = self._election.role
            self._turn(before, self._election.heard(message, self._loop.time(), time.time_ns()))
        elif self._election.role is Role.STANDBY and isinstance(message, Begin | Rows) and message.ied in self._ieds:
            self._follow(who, message)

    def _turn(self, before: Role, after: Role) -> None:
        if after is before:
            return
        if after is Role.ACTIVE:
            missing = [ied for ied in self._ieds if before is Role.STANDBY and not self._complete(ied)]
            self._drop_replicas()
            for ied in self._ieds:
                begin_above(self._state_dir, ied, time.time_ns())
            log.warning("serves now%s", f", without a whole copy of {', '.join(missing)}" if missing else "")
        elif after is Role.STANDBY and before is Role.ACTIVE:
            log.error("%s serves too, and has taken over later: this gateway stands by", self._options.peer)
        elif after is Role.STANDBY:
            log.info("%s serves: this gateway stands by", self._options.peer)
        else:
            self._drop_replicas()
            log.warning("%s has started anew before there was a whole copy: it may serve", self._options.peer)
        self._said = False
        self._link.send(self._election.status())
        self._turned.set()

    def _not_believed(self, reason: str) -> None:
        if reason not in self._refused and len(self._refused) < 100:
            self._refused.add(reason)
            log.warning("message refused: %s", reason)

    # ------------------------------------------------------------------ copies

    def _follow(self, who: bytes, message: Begin | Rows) -> None:
        try:
            ack = self._kept(message)
        except OSError as error:
            if not self._failing:
                log.error("cannot keep a copy of %s: %s", message.ied, error)
            self._failing = True
            self._election.whole = all(map(self._complete, self._ieds))
            return
        if ack is not None:
            self._endpoint.reply(who, ack)
        self._election.whole = all(map(self._complete, self._ieds))
        if self._election.whole and not self._said:
            self._said, self._failing = True, False
            sys.stdout.write(f"standby of {self._options.peer}\n")
            sys.stdout.flush()

    def _kept(self, message: Begin | Rows) -> Ack | None:
        replica = self._replicas.get(message.ied)
        if isinstance(message, Rows):
            return None if replica is None else replica.take(message)
        if replica is None:
            replica = self._replicas[message.ied] = Replica(self._state_dir, message.ied)
        return replica.begin(message)

    def _complete(self, ied: str) -> bool:
        return ied in self._replicas and self._replicas[ied].complete

    def _drop_replicas(self) -> None:
        for replica in self._replicas.values():
            replica.close()
        self._replicas.clear()
        self._election.whole = False


class StopOrTakeover:
    """Ends when the gateway is told to end, or when the other one of the pair serves instead."""

    def __init__(self, stop: StopCondition, standby: Standby) -> None:
        self._stop = stop
        self._standby = standby

    async def wait(self) -> None:
        """Return when it is time."""
        await self._standby.until_not_active(self._stop)

    async def to_reload(self) -> None:
        """Return when a reload is asked for; one that was asked for while standing by is due at once."""
        await self._stop.to_reload()

    @property
    def now(self) -> bool:
        """True once it is time."""
        return self._stop.now or not self._standby.active
