"""Access callbacks: the embedding program's verdict before a client reads, writes or operates (pure).

A callback is registered for a data attribute, object or functional constraint of one LN (a slot), for a whole LN (its
first slot), or for a functional constraint everywhere. The nearest one is asked: the slot's own, then what stands above it.
"""

from collections.abc import Awaitable, Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mapping.model import FC
from mms_server.mms.add_cause import AddCause
from mms_server.mms.errors import DataAccessError, ServiceError
from mms_server.model.tree import DataModel
from mms_server.stack import ber

Verdict = bool | DataAccessError | AddCause  # an AddCause only from what carries out a control
Callback = Callable[..., Verdict | Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a callback; its verdict may come later."""

    callback: Callback
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Deferred:
    """An answer that waits for `calls`; `finish` takes their verdicts, in order, and gives the service's element."""

    calls: Sequence[Call]
    finish: Callable[[Sequence[Verdict]], bytes | ServiceError]


def refusal(verdict: Verdict) -> DataAccessError | None:
    """The error that a verdict means for the client, None for True. A value that is no verdict denies access."""
    if isinstance(verdict, DataAccessError):
        return verdict
    return None if verdict is True else DataAccessError.OBJECT_ACCESS_DENIED


def hiding(model: DataModel, slot: int, hidden: Container[int]) -> bytes:
    """The Data of the variable at `slot`, with the file's defaults in place of `hidden` attributes inside it."""
    node = model.node(slot)
    if node.kind is not None:
        return model.cache.read(slot)
    parts = [
        _default(model, slot + offset) if slot + offset in hidden else hiding(model, slot + offset, hidden)
        for offset in node.offsets
    ]
    return ber.tlv(node.tag, b"".join(parts))


def _default(model: DataModel, slot: int) -> bytes:
    node, placed = model.node(slot), model.placed(slot)
    if node.kind is None:
        return ber.tlv(node.tag, b"".join(_default(model, slot + offset) for offset in node.offsets))
    default = placed.layout.defaults[slot - placed.base]
    assert default is not None  # noqa: S101 - a leaf has one
    return node.kind.encode(default)


class AccessCallbacks:
    """The callbacks of one kind of access."""

    def __init__(self, model: DataModel) -> None:
        self._model = model
        self._by_slot: dict[int, Callback] = {}
        self._by_fc: dict[FC, Callback] = {}
        self.any = False

    def add(self, where: int | FC, callback: Callback) -> None:
        """Register `callback` for a slot and all below it, or for a functional constraint."""
        self.any = True
        if isinstance(where, FC):
            self._by_fc[where] = callback
        else:
            self._by_slot[where] = callback

    def clear(self) -> None:
        """Remove all callbacks."""
        self._by_slot.clear()
        self._by_fc.clear()
        self.any = False

    def of(self, slot: int) -> Callback | None:
        """The callback for `slot`, the nearest one; None if there is none."""
        nodes, at = self._model.cache.nodes, slot
        while True:
            found = self._by_slot.get(at)
            if found is not None:
                return found
            if not nodes[at].up:
                break
            at -= nodes[at].up
        fc = nodes[slot].fc
        return None if fc is None else self._by_fc.get(fc)

    def below(self, slot: int) -> Iterator[tuple[int, Callback]]:
        """The callbacks that are registered for nodes below `slot`, by slot."""
        end = slot + self._model.node(slot).size
        return ((at, callback) for at, callback in sorted(self._by_slot.items()) if slot < at < end)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions of clients: the functional constraints open for writing, and the callbacks for writes and reads."""

    open_fcs: set[FC]
    writes: AccessCallbacks
    reads: AccessCallbacks

    @classmethod
    def of(cls, model: DataModel, open_fcs: Iterable[FC]) -> "Permissions":
        """The permissions of a server in which `open_fcs` may be written, without callbacks."""
        return cls(set(open_fcs), AccessCallbacks(model), AccessCallbacks(model))
