"""Takeovers by both halves of a pair: sockets and stores are real, the loop of both is one."""

import asyncio
import contextlib
import sqlite3
import time
from itertools import pairwise
from pathlib import Path

import pytest

from bus.endpoint import Endpoint
from mms_gateway.runtime.preflight import fixed
from mms_server.acsi.persistence import ID_BLOCK, Persistence
from mms_server.redundancy.replication_sender import ReplicationSender
from mms_server.redundancy.standby import PairOptions, Standby
from mms_server.storage.store import Store
from mms_server.storage.tables import file_of
from tests.support import steady_loop

IED = "IO"
TAKEOVER_AFTER_S = 1.2  # more than two statuses of the other half
PATIENCE_S = 30.0


class NeverStops:
    """The stop condition of a gateway that nobody ends."""

    now = False

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def to_reload(self) -> None:
        await asyncio.Event().wait()


class Half:
    """One gateway of the pair: its standby, and while it serves its store, which is replicated to the other half."""

    def __init__(self, folder: Path, listen: Endpoint, peer: Endpoint, *, first: bool) -> None:
        self.folder, self._peer = folder, peer
        self.standby = Standby(PairOptions(peer, listen, first, TAKEOVER_AFTER_S), [IED], folder)

    async def serve(self) -> None:
        """Wait until it is to serve, and open the store as the MMS server does."""
        assert await self.standby.until_active(NeverStops())
        self._store = Store(self.folder, IED)
        self._sender = ReplicationSender(IED, self._peer, self._store)
        self._persistence = Persistence(durable=True, next_id=self._store.load().next_id)
        self._store.start(lambda _: None, self._sender)

    def entry_ids(self, count: int) -> range:
        """Give so many EntryIDs, one after the other; the reservations of them go to the store."""
        given = [self._persistence.new_id(time.time_ns()) for _ in range(count)]
        self._store.write(*self._persistence.take())
        assert given == list(range(given[0], given[0] + count))
        return range(given[0], given[0] + count)

    def cut(self) -> None:
        """The other half gets nothing more of what the store keeps."""
        self._sender.close()

    def end(self) -> None:
        self._store.close()
        self.standby.close()


def reserved_in(folder: Path) -> int:
    """The first EntryID that is not reserved in the store there; 0 without one."""
    path = file_of(folder, IED)
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path)) as database:
        row = database.execute("SELECT value FROM kept WHERE kind = 'state' AND key = 'next_id'").fetchone()
    return 0 if row is None else int.from_bytes(row[0], "big")


async def copied(folder: Path, above: int) -> None:
    """Wait until the copy there has reserved more than `above`."""
    async with asyncio.timeout(PATIENCE_S):
        while reserved_in(folder) <= above:  # noqa: ASYNC110 - a file says nothing by itself
            await asyncio.sleep(0.02)


@pytest.mark.conformance("GW-10")
def test_no_entry_id_is_given_by_both_gateways_though_the_copy_lacks_the_last_ones(tmp_path: Path) -> None:
    async def scenario() -> None:
        here, there = fixed(Endpoint("127.0.0.1", 0)), fixed(Endpoint("127.0.0.1", 0))
        a = Half(tmp_path / "a", here, there, first=True)
        b = Half(tmp_path / "b", there, here, first=False)
        given: list[range] = []
        for serving, other in ((a, b), (b, a)):
            await serving.serve()
            if serving is b:
                a.standby = Standby(PairOptions(there, here, True, TAKEOVER_AFTER_S), [IED], a.folder)
            given.append(serving.entry_ids(10))
            await copied(other.folder, given[-1][-1])
            serving.cut()
            given.append(serving.entry_ids(2 * ID_BLOCK))
            assert reserved_in(other.folder) <= given[-1][-1]
            serving.end()
        await a.serve()
        given.append(a.entry_ids(10))
        a.cut()
        a.end()
        assert all(earlier[-1] < later[0] for earlier, later in pairwise(given))

    steady_loop.run(scenario())
