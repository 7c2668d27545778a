"""Known Reads: a connection answers them by the read fast path, before its association decodes them."""

import threading

from mms_server.acsi.access_callbacks import AccessCallbacks
from mms_server.association.read_fast_path import SHORTEST, ReadFastPath, Room
from mms_server.network.connection.outlet import Outlet
from mms_server.network.connection.turns import TURN_REQUESTS


class KnownReads:
    """The read fast path of one association. While there are `callbacks` for reading, no Read takes it: they are asked first."""

    __slots__ = ("_answer", "_callbacks", "_lock", "_room", "_write", "learn")

    def __init__(
        self, fast_path: ReadFastPath, room: Room, lock: threading.RLock, callbacks: AccessCallbacks, outlet: Outlet
    ) -> None:
        self.learn = fast_path.learn
        self._answer = fast_path.answer
        self._room = room
        self._lock = lock
        self._callbacks = callbacks
        self._write = outlet.write

    def answer(self, data: bytes) -> bytes:
        """Answer the known Reads at the front of `data`, at most those of one turn; the rest of `data`."""
        if self._callbacks.any:
            return data
        known, room = self._answer, self._room
        answers: list[bytes] = []
        position, end = 0, len(data)
        with self._lock:
            while end - position >= SHORTEST and len(answers) < TURN_REQUESTS:
                size = data[position + 2] << 8 | data[position + 3]
                packet = data if size == end else data[position : position + size]
                if len(packet) != size or size < SHORTEST:
                    break
                answer = known(packet, room)
                if answer is None:
                    break
                answers.append(answer)
                position += size
        if not position:
            return data
        self._write(answers[0] if len(answers) == 1 else b"".join(answers))
        return data[position:]
