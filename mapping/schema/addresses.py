"""Addresses that a site names: where it listens, and the peers that may connect."""

import re
from ipaddress import ip_network

from bus.endpoint import Endpoint


def endpoint(text: str) -> str:
    """`host:port`. Raises ValueError."""
    Endpoint.parse(text)
    return text


def listen(text: str) -> str:
    """An endpoint, or `none`. Raises ValueError."""
    Endpoint.parse_listen(text)
    return text


def network(text: str) -> str:
    """An address or a network. Raises ValueError."""
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(f"`{text}` is no address or network, expected one as 10.20.0.0/16") from error
    return text


def peer(text: str) -> str:
    """A peer by its certificate: the fingerprint or the name. Raises ValueError."""
    if not re.fullmatch(r"sha256:[0-9A-Fa-f]{64}|CN=.+", text):
        raise ValueError(f"`{text}` names no certificate, expected `sha256:` and 64 digits, or `CN=NAME`")
    return text
