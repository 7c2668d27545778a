"""Local echo of an RS-485 adapter: our own frame comes back before the response does (pure).

The confirmation of some writes looks like their echo. So only a read can show that there is one; from then on each
frame's echo is removed before anything is read from it.
"""

from dataclasses import dataclass

from acquisition.drivers.base import Ask, Question, Read, Write


@dataclass(slots=True)
class Echo:
    """Echo of one line: `known` once a frame has come back, and the frame that may still come back."""

    known: bool = False
    _expected: bytes = b""

    def sent(self, octets: bytes, request: Ask) -> None:
        """`octets` were sent for `request`: they may come back."""
        self._expected = b"" if isinstance(request, Write) and not self.known else octets

    def strip(self, buffer: bytearray, request: Ask) -> int:
        """Remove the echo from the front of `buffer`; how many octets that was. -1: it may still be coming, wait."""
        expected = self._expected
        if not expected or not buffer:
            return 0
        if buffer.startswith(expected):
            del buffer[: len(expected)]
            self._expected, self.known = b"", True
            return len(expected)
        if expected.startswith(bytes(buffer)):
            return -1
        self._expected = b""
        self.known = self.known and not isinstance(request, Read | Question)
        return 0
