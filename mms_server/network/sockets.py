"""Listening sockets and keepalive: the socket options of a port."""

import contextlib
import socket
from typing import Final

KEEPALIVE_IDLE_S: Final = 4
KEEPALIVE_INTERVAL_S: Final = 2
KEEPALIVE_PROBES: Final = 2
BACKLOG: Final = 128


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at `host:port`. Raises OSError if it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def set_keepalive(sock: socket.socket | None) -> None:
    """Set keepalive, which detects a vanished peer within 8 s, and TCP_NODELAY, which sends answers at once."""
    if sock is None:
        return
    with contextlib.suppress(OSError):  # the peer may be gone before we have looked at it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES)
