"""Errors of ports (pure)."""


class NoConnectionError(Exception):
    """The port or the connection is lost, or cannot be opened; the text is the reason."""


class UnsentError(NoConnectionError):
    """The connection had ended before: no octet of the request has left."""
