"""Endpoints of TCP and UDP: `host:port` as text and as its two parts, with the brackets of IPv6 (RFC 3986, section 3.2.2).

10.0.0.5:102    [::1]:102    gateway.example:5563
"""

from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Final

PORT_LIMIT: Final = 0xFFFF
_ANY: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, without brackets, and a port; port 0 takes a free one. Prints as `host:port`."""

    host: str
    port: int

    def __post_init__(self) -> None:
        """Raises ValueError for a port beyond 65535."""
        if not 0 <= self.port <= PORT_LIMIT:
            raise ValueError(f"port {self.port}, expected 0 to {PORT_LIMIT}")

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_ipv6 else f"{self.host}:{self.port}"

    @property
    def is_ipv6(self) -> bool:
        """True for an address of IPv6, which is written in brackets."""
        return ":" in self.host

    def at(self, port: int) -> "Endpoint":
        """The same host with another port."""
        return replace(self, port=port)

    def reachable(self) -> "Endpoint":
        """Where a client on this host finds who listens here: the loopback address in place of `0.0.0.0` and `::`."""
        return replace(self, host=_ANY.get(self.host, self.host))

    @classmethod
    def parse(cls, text: str, port: int | None = None) -> "Endpoint":
        """The endpoint that `text` describes; `port` is that of a text without one. Raises ValueError.

        IPv6 may stand without brackets, as files of 0.1.0 have it: the port is then what follows the last colon, unless
        there is a `port`, which such an address takes whole.
        """
        if port is not None and (":" not in text or text.endswith("]") or _is_ipv6(text)):
            return cls(_host(text, text), port)
        host, colon, digits = text.rpartition(":")
        if not (colon and digits.isascii() and digits.isdecimal() and int(digits) <= PORT_LIMIT):
            raise _refused(text)
        return cls(_host(host, text), int(digits))

    @classmethod
    def parse_listen(cls, text: str) -> "Endpoint | None":
        """Where to listen; None for `none`. Raises ValueError."""
        return None if text == "none" else cls.parse(text)


def _host(shown: str, text: str) -> str:
    """The host without brackets: an address of IPv6, or a word without any of its signs. Raises ValueError."""
    bracketed = shown.startswith("[") and shown.endswith("]")
    host = shown[1:-1] if bracketed else shown
    fits = _is_ipv6(host) if bracketed or ":" in host else host and not set(host) & set("[]/ \t\r\n")
    if not fits:
        raise _refused(text)
    return host


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _refused(text: str) -> ValueError:
    return ValueError(f"`{text}` is no address, expected `host:port` as `0.0.0.0:102`")
