"""SetFile: the client asks us to obtain its file, and we read it from the client (IEC 61850-7-2; ISO 9506-2, ObtainFile).

    client ── ObtainFile ──► OPENING ──► READING ──► ... ──► whole: the file gets its name, the answer is NULL
                                │           │
                                └───────────┴── refused, undecodable, too large, no space, time-out: the file is removed

FileOpen, FileRead and FileClose are requests of ours on the client's own association, one at a time. An incomplete file
has a name that no client sees. If a client never answers, its own transfer ends by time-out; others are not affected.
"""

import contextlib
import errno
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from bus.quality import Stamp
from mms_server.acsi.behaviour import NEVER, Behaviour
from mms_server.acsi.clients import Client
from mms_server.acsi.file_transfer.files import PARTIAL, Files, name_of
from mms_server.mms import file_names
from mms_server.mms.errors import ServiceError
from mms_server.stack import ber
from mms_server.stack.errors import WireError

OCTETS_LIMIT: Final = 16 * 1024 * 1024
ANSWER_NS: Final = 10_000_000_000  # for each answer of the client
WHOLE_NS: Final = 600_000_000_000  # for all of a file
OPEN, READ, CLOSE = 0xBF48, 0x9F49, 0x9F4A
_READ_ANSWER: Final = 0xBF49
_DONE: Final = ber.tlv(0x9F2E, b"")
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

TransferResult = bytes | ServiceError  # the service's element, or why not


@dataclass(eq=False, slots=True)
class _Transfer:
    """One transfer in progress. `number` is the client's frsmID; None until it has opened the file."""

    invoke_id: int
    destination: str
    partial: Path
    file: BinaryIO
    answer_by_ns: int
    end_by_ns: int
    octets: int = 0
    number: int | None = None

    @property
    def until_ns(self) -> int:
        return min(self.answer_by_ns, self.end_by_ns)


@dataclass(slots=True)
class SetFile(Behaviour):
    """The SetFile transfers of one server, at most one for each client."""

    files: Files
    _transfers: dict[Client, _Transfer] = field(default_factory=dict)
    _asks: dict[Client, list[bytes]] = field(default_factory=dict)
    _answers: dict[Client, list[tuple[int, str, TransferResult]]] = field(default_factory=dict)
    _count: int = 0

    def begin(
        self, client: Client, invoke_id: int, source: list[bytes], destination: list[bytes], now: Stamp
    ) -> ServiceError | None:
        """Begin to fetch the client's file `source` to `destination`; the error, or None: the answer comes later."""
        if not client.takes_requests:
            return ServiceError.CAPABILITY_UNAVAILABLE
        if client in self._transfers:
            return ServiceError.FILE_BUSY
        name = name_of(destination)
        vacant = self.files.vacant(name)
        if isinstance(vacant, ServiceError):
            return vacant
        partial = self._partial()
        if isinstance(partial, ServiceError):
            return partial
        path, file = partial
        self._transfers[client] = _Transfer(
            invoke_id, name, path, file, now.monotonic_ns + ANSWER_NS, now.monotonic_ns + WHOLE_NS
        )
        self._ask(client, ber.tlv(OPEN, file_names.name(0xA0, source) + b"\x81\x01\x00"))
        return None

    def _partial(self) -> tuple[Path, BinaryIO] | ServiceError:
        assert self.files.folder is not None  # noqa: S101 - a place was found in it
        try:
            if self._count == 0:
                for left in self.files.folder.glob(f"{PARTIAL}*"):  # by a process that was killed
                    left.unlink()
            self._count += 1
            path = self.files.folder / f"{PARTIAL}{self._count}"
            return path, path.open("wb")
        except OSError as error:
            return _reason(error)

    # ------------------------------------------------------------------ what the client answers

    def answered(self, client: Client, tag: int | None, body: bytes, now: Stamp) -> None:
        """Take the client's answer to our request: the service element `tag`, or None for an error."""
        transfer = self._transfers.get(client)
        if transfer is None:
            return  # the file was closed, whatever it says to that
        transfer.answer_by_ns = now.monotonic_ns + ANSWER_NS
        if tag is None:
            self._end(client, ServiceError.FILE_NON_EXISTENT if transfer.number is None else ServiceError.FILE_OTHER)
            return
        try:
            if transfer.number is None:
                self._opened(client, transfer, tag, body)
            else:
                self._piece(client, transfer, tag, body)
        except WireError:
            self._end(client, ServiceError.FILE_OTHER)

    def _opened(self, client: Client, transfer: _Transfer, tag: int, body: bytes) -> None:
        first, start, end = ber.header(body, 0, len(body))
        if tag != OPEN or first != 0x80:
            self._end(client, ServiceError.FILE_OTHER)
            return
        transfer.number = ber.decode_integer(body, start, end)
        self._ask(client, ber.tlv(READ, ber.integer(transfer.number)))

    def _piece(self, client: Client, transfer: _Transfer, tag: int, body: bytes) -> None:
        first, start, end = ber.header(body, 0, len(body))
        if tag != _READ_ANSWER or first != 0x80:
            self._end(client, ServiceError.FILE_OTHER)
            return
        more = True  # where the client does not say
        if end < len(body):
            second, at, _ = ber.header(body, end, len(body))
            more = second == 0x81 and body[at] != 0
        transfer.octets += end - start
        if transfer.octets > OCTETS_LIMIT or (more and start == end):
            self._end(client, ServiceError.FILE_NO_SPACE if start < end else ServiceError.FILE_OTHER)
            return
        try:
            transfer.file.write(body[start:end])
        except OSError as error:
            self._end(client, _reason(error))
            return
        if more:
            self._ask(client, ber.tlv(READ, ber.integer(transfer.number or 0)))
        else:
            self._end(client, None)

    # ------------------------------------------------------------------ how it ends

    def _end(self, client: Client, refused: ServiceError | None) -> None:
        """End the transfer: close the client's file, give ours its name or remove it, answer the client."""
        transfer = self._transfers.pop(client)
        if transfer.number is not None:
            self._ask(client, ber.tlv(CLOSE, ber.integer(transfer.number)))
        outcome = self._kept(transfer) if refused is None else refused
        if outcome is not None:
            self._dropped(transfer)
        answer = (transfer.invoke_id, transfer.destination, _DONE if outcome is None else outcome)
        self._answers.setdefault(client, []).append(answer)

    def _kept(self, transfer: _Transfer) -> ServiceError | None:
        vacant = self.files.vacant(transfer.destination)  # somebody may have put a file there meanwhile
        if isinstance(vacant, ServiceError):
            return vacant
        try:
            transfer.file.close()
            vacant.parent.mkdir(parents=True, exist_ok=True)
            transfer.partial.replace(vacant)
        except OSError as error:
            return _reason(error)
        return None

    @staticmethod
    def _dropped(transfer: _Transfer) -> None:
        with contextlib.suppress(OSError):  # a full disk: what could not be flushed goes with the file
            transfer.file.close()
        with contextlib.suppress(OSError):  # swept away at the next start
            transfer.partial.unlink()

    def closed(self, client: Client, _now: Stamp) -> None:
        """`client` is gone: remove its incomplete file."""
        transfer = self._transfers.pop(client, None)
        if transfer is not None:
            self._dropped(transfer)
        self._asks.pop(client, None)
        self._answers.pop(client, None)

    # ------------------------------------------------------------------ what leaves, and when

    def _ask(self, client: Client, element: bytes) -> None:
        self._asks.setdefault(client, []).append(element)

    def receivers(self) -> list[Client]:
        """The clients for which requests or answers wait."""
        return [*self._asks, *self._answers]

    def asks(self, client: Client) -> list[bytes]:
        """The service elements of the requests to `client`, in order; they are then the caller's."""
        return self._asks.pop(client, [])

    def answers(self, client: Client) -> list[tuple[int, str, TransferResult]]:
        """The answers that `client` is owed, each with its invokeID and the file's name; they are then the caller's."""
        return self._answers.pop(client, [])

    def next_deadline_ns(self) -> int:
        """The monotonic time of the next time-out."""
        return min((one.until_ns for one in self._transfers.values()), default=NEVER)

    def deadline(self, now: Stamp) -> None:
        """Let time pass: end the transfers that have taken too long."""
        late = [client for client, one in self._transfers.items() if one.until_ns <= now.monotonic_ns]
        for client in late:
            self._end(client, ServiceError.FILE_OTHER)


def _reason(error: OSError) -> ServiceError:
    return ServiceError.FILE_NO_SPACE if error.errno in _FULL else ServiceError.FILE_ACCESS_DENIED
