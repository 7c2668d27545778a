"""Checks before the start: ports that cannot be bound, a state folder that cannot be written, each with a hint."""

import errno
import os
import socket
from pathlib import Path

from bus import state_schema
from bus.endpoint import Endpoint
from bus.state_schema import NewerStateError
from mapping.diagnostics import Diagnostics, Span


def fixed(listen: Endpoint) -> Endpoint:
    """`listen` with a free port in place of 0: an OS process that is started again listens where it did before."""
    if listen.port:
        return listen
    with socket.socket(_family(listen), socket.SOCK_STREAM) as sock:
        sock.bind((listen.host, 0))
        return listen.at(sock.getsockname()[1])


def _family(listen: Endpoint) -> socket.AddressFamily:
    return socket.AF_INET6 if listen.is_ipv6 else socket.AF_INET


def check(listen: Endpoint, what: str, option: str, span: Span, found: Diagnostics) -> None:
    """Say so if `listen` cannot be bound; `option` is what the user may type for another port."""
    with socket.socket(_family(listen), socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((listen.host, listen.port))
            sock.listen(1)
        except OSError as error:
            hint = _hint(error, listen.port, option)
            found.error("port", span, f"{what} cannot listen on {listen}: {_reason(error)}", hint=hint)


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _hint(error: OSError, port: int, option: str) -> str:
    if error.errno == errno.EACCES:
        allow = f"sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
        return f"`{allow}` lets every user listen from {port} on, or take another port: `{option}`"
    if error.errno == errno.EADDRINUSE:
        return f"`ss -ltnp 'sport = :{port}'` shows who has it, or take another port: `{option}`"
    return f"take another address or port: `{option}`"


def state_is_known(folder: Path, found: Diagnostics) -> bool:
    """True unless `folder` has state of a newer program, or cannot be read; an error in `found` then. Nothing is touched."""
    try:
        state_schema.check(folder)
    except NewerStateError as error:
        found.error("state", Span(str(folder)), error.message, hint=error.hint)
        return False
    except OSError as error:
        _unusable(folder, (error.strerror or str(error)).lower(), found)
        return False
    return True


def make_state_folder(folder: Path, found: Diagnostics) -> None:
    """Make `folder` unless it is there; an error in `found` if that, or writing there, is not to be had.

    A folder with state of a newer program is such an error too.
    """
    if not state_is_known(folder, found):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _unusable(folder, (error.strerror or str(error)).lower(), found)
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        _unusable(folder, "permission denied", found)


def _unusable(folder: Path, reason: str, found: Diagnostics) -> None:
    hint = "`--state-dir DIR` names another"
    found.error("state", Span(str(folder)), f"the state folder cannot be used: {reason}", hint=hint)
