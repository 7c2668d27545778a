"""A TCP or TLS connection as the wire of an MMS client. Shell."""

import socket
import ssl
import time
from typing import Final

from bus.endpoint import Endpoint
from bus.quality import Stamp
from mms_server.client.client import MmsClient
from mms_server.client.errors import MmsError

RECEIVE_OCTETS: Final = 65_536
SEND_S: Final = 10.0


def connect(
    host: str, port: int, *, password: str | None = None, tls: ssl.SSLContext | None = None, timeout: float = 10.0
) -> MmsClient:
    """An associated client of the server at `host`:`port`; no one answer may take longer than `timeout` seconds.

    Raises MmsError if there is no server, or if it refuses the association.
    """
    address = str(Endpoint(host, port))
    try:
        wire = SocketWire(host, port, tls, timeout)
    except OSError as error:
        raise MmsError(address, f"no connection: {error}") from error
    try:
        return MmsClient(wire, address, password=password, timeout_s=timeout)
    except MmsError:
        wire.close()
        raise


class SocketWire:
    """One connection. Raises OSError (ssl.SSLError is one) when it is made."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        plain = socket.create_connection((host, port), timeout=timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise

    def now(self) -> Stamp:
        """The time on the monotonic clock and in UTC."""
        return Stamp(time.monotonic_ns(), time.time_ns())

    def send(self, octets: bytes) -> None:
        """Write them all. Raises OSError, a TimeoutError among them."""
        self._socket.settimeout(SEND_S)
        self._socket.sendall(octets)

    def receive(self, until_ns: int) -> bytes | None:
        """The next octets; None if none come until `until_ns`, empty if the server has closed. Raises OSError."""
        left_ns = until_ns - time.monotonic_ns()
        if left_ns <= 0:
            return None
        self._socket.settimeout(left_ns / 1e9)
        try:
            return self._socket.recv(RECEIVE_OCTETS)
        except TimeoutError:
            return None

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
