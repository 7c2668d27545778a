"""State of a line's port: open or not, and whether a device has answered since it was opened (pure).

    closed ── open ──► open ── a response ──► served ── close ──► closed

A connection that has served and then ends was closed by its device, as some do after each answer: that is no fault of the
line yet, and the next request opens another one.
"""

from acquisition.exchange.port_steps import Close, Open, Steps


class Connection:
    """State of the port of one line."""

    def __init__(self) -> None:
        self.is_open = False
        self.served = False  # a response has come on it

    def open(self) -> Steps[bool]:
        """Open the port; False if it was open. Raises NoConnectionError."""
        if self.is_open:
            return False
        yield Open()
        self.is_open, self.served = True, False
        return True

    def close(self) -> Steps[None]:
        """Close the port."""
        self.is_open = False
        yield Close()
