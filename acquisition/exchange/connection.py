"""Port of one line with its state: open or not, and whether a device has answered since it was opened.

    closed ── open ──► open ── a response ──► served ── close ──► closed

A connection that has served and then ends was closed by its device, as some do after each answer: that is no fault of the
line yet, and the next request opens another one.
"""

from acquisition.transport.capture import CapturePort
from acquisition.transport.ports import Port, SerialPort


class Connection:
    """Port of one line, and its state."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.is_open = False
        self.served = False  # a response has come on it

    async def open(self) -> bool:
        """Open the port; False if it was open. Raises NoConnectionError."""
        if self.is_open:
            return False
        await self.port.open()
        self.is_open, self.served = True, False
        return True

    async def close(self) -> None:
        """Close the port."""
        self.is_open = False
        await self.port.close()

    async def set_baudrate(self, baudrate: int) -> None:
        """Go on at `baudrate`, where the port is a serial one. Raises NoConnectionError."""
        if isinstance(self.port, SerialPort | CapturePort):
            await self.port.set_baudrate(baudrate)
