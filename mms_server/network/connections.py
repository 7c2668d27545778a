"""The connections of a server: those in their handshake, those that are associated, and the wait for the last (shell)."""

import asyncio
import contextlib
from typing import Final

from mms_server.acsi.clients import Client
from mms_server.network.access_control import Gate
from mms_server.network.connection.connection import Connection
from mms_server.network.tls import TlsPort

HANDSHAKES_LIMIT: Final = 64
STOP_S: Final = 0.5  # for peers to take our abort, when we stop


class Connections:
    """Every connection of one server, and the clients behind those that are associated."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._count = 0
        self._all: set[Connection] = set()
        self._by_client: dict[Client, Connection] = {}
        self._none_left = asyncio.Event()

    def next_number(self) -> int:
        """The number of the next connection, for the log."""
        self._count += 1
        return self._count

    def admit(self, connection: Connection) -> str | None:
        """The reason to refuse `connection`; None to admit it. If there are too many handshakes the oldest is aborted."""
        refusal = self._gate.closed_to(connection.host, len(self._by_client))
        if refusal is not None:
            return refusal
        unfinished = [one for one in self._all if one.client is None]
        if len(unfinished) >= HANDSHAKES_LIMIT:
            min(unfinished, key=lambda one: one.number).stop("made room for a newer handshake")
        self._all.add(connection)
        return None

    def forget(self, connection: Connection) -> None:
        """Remove a connection that was closed."""
        self._all.discard(connection)
        if not self._all:
            self._none_left.set()

    def associated(self, client: Client, connection: Connection) -> None:
        """`client` has associated over `connection`."""
        self._by_client[client] = connection

    def left(self, client: Client) -> None:
        """`client` is gone."""
        self._by_client.pop(client, None)

    def push(self, clients: list[Client]) -> None:
        """Send the PDUs that the engine has for `clients`."""
        for client in clients:
            connection = self._by_client.get(client)
            if connection is not None:
                connection.push()

    def end_sessions(self, tls: TlsPort) -> None:
        """End all connections of the port `tls`: clients that return are checked against its new CRL."""
        for connection in tuple(self._all):
            if connection.secured_by is tls:
                connection.stop("a new CRL")

    async def stop(self) -> None:
        """Abort every association and close every connection; a connection that has not ended after STOP_S is cut."""
        for connection in tuple(self._all):
            connection.stop("the server stops")
        if self._all:
            self._none_left.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await self._none_left.wait()
        for connection in tuple(self._all):
            connection.cut()
