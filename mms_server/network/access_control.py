"""Access control of associations: their number, addresses and authentication (shell: a refusal is delayed)."""

import asyncio
import hmac
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from mms_server.acsi.clients import Client

FAILED_LOGIN_DELAY_S: Final = 0.2
FAILED_LOGIN_DELAY_LIMIT_S: Final = 2.0
FAILED_LOGINS_KEPT: Final = 1024

Authenticator = Callable[[Client, bytes | None], bool | Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Access:
    """Limits on associations: `allow` lists networks, all if empty; without `authenticate` no password is checked."""

    max_clients: int = 64
    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    authenticate: Authenticator | None = None


def password_is(expected: str) -> Authenticator:
    """An authenticator for one password, compared in constant time."""
    octets = expected.encode()

    def decide(_client: Client, password: bytes | None) -> bool:
        return password is not None and hmac.compare_digest(password, octets)

    return decide


class Gate:
    """Admits or refuses peers by the limits in `access`."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._failed: dict[str, int] = {}  # per address, since the last good one

    def follow(self, access: Access) -> None:
        """Use the limits `access` from now on; associated clients stay."""
        self.access = access

    def closed_to(self, host: str, associated: int) -> str | None:
        """The reason to refuse a connection from `host` while `associated` clients are there; None to admit it."""
        if self.access.allow and not self._allowed(host):
            return "address not on the allow-list"
        if self.full(associated):
            return f"{self.access.max_clients} clients are associated already"
        return None

    def full(self, associated: int) -> bool:
        """True if no client may associate beside `associated` others."""
        return associated >= self.access.max_clients

    def _allowed(self, host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self.access.allow)

    async def authenticated(self, client: Client, password: bytes | None) -> bool:
        """The authenticator's verdict; a refusal takes longer with each failure of the same address."""
        decide = self.access.authenticate
        if decide is None:
            return True
        host = client.host
        answer = decide(client, password) if _is_quick(decide) else await asyncio.to_thread(decide, client, password)
        allowed = await answer if inspect.isawaitable(answer) else answer
        if allowed:
            self._failed.pop(host, None)
            return True
        failures = self._failed.pop(host, 0) + 1
        self._failed[host] = failures
        if len(self._failed) > FAILED_LOGINS_KEPT:
            self._failed.pop(next(iter(self._failed)))
        await asyncio.sleep(min(failures * FAILED_LOGIN_DELAY_S, FAILED_LOGIN_DELAY_LIMIT_S))
        return False


def _is_quick(decide: Authenticator) -> bool:
    return inspect.iscoroutinefunction(decide) or decide.__module__ == __name__
