"""GOOSE and sampled value control blocks (IEC 61850-7-2, GoCB, MSVCB and USVCB).

This server publishes neither. Of all their attributes a client may write GoEna alone: it keeps the value written, is false
from the start, and is not stored.
"""

from collections.abc import Callable
from typing import Final

from bus.quality import Stamp
from mapping.model import FC
from mms_server.acsi.behaviour import ControlBlocks
from mms_server.acsi.clients import Client
from mms_server.mms.errors import DataAccessError
from mms_server.model.cache import Commit
from mms_server.model.control_blocks import block_names
from mms_server.model.datasets import DataSet
from mms_server.model.tree import DataModel

_DENIED: Final = DataAccessError.OBJECT_ACCESS_DENIED
_UNAVAILABLE: Final = DataAccessError.TEMPORARILY_UNAVAILABLE

Find = Callable[[Client | None, str], DataSet | None]


class GooseSvBlocks(ControlBlocks):
    """The GOOSE and sampled value control blocks of a server. `find` resolves a data set's name as DatSet has it."""

    def __init__(self, model: DataModel, find: Find, commit: Commit) -> None:
        self._model = model
        self._find = find
        self._commit = commit
        self._owned: set[int] = set()
        self._enables: dict[int, dict[str, int]] = {}  # by the slot of a GoEna: the slots of its block
        for placed in model.nodes():
            for fc, name in block_names(placed.source):
                if fc not in (FC.GO, FC.MS, FC.US):
                    continue
                node = placed.layout.by_suffix[f"${fc.value}${name}".encode("ascii", "replace")]
                first = placed.base + node.index
                self._owned.update(range(first, first + node.size))
                if fc is FC.GO:
                    slots = {child.name.decode(): placed.base + child.index for child in node.children}
                    self._enables[slots["GoEna"]] = slots

    def owns(self, slot: int) -> bool:
        """True if `slot` is such a control block, or an attribute of one."""
        return slot in self._owned

    def write(self, _: Client, slot: int, tag: int, contents: bytes, now: Stamp) -> DataAccessError | None:
        """Write one attribute; the error, or None. GoEna becomes true only with a data set and without NdsCom."""
        block = self._enables.get(slot)
        if block is None:
            return _DENIED
        kind = self._model.node(slot).kind
        assert kind is not None  # noqa: S101 - GoEna is a leaf
        value = kind.decode(tag, contents)
        if isinstance(value, DataAccessError):
            return value
        if value and not self._complete(block):
            return _UNAVAILABLE
        self._commit([(slot, value)], now)
        return None

    def _complete(self, block: dict[str, int]) -> bool:
        values = self._model.cache.values
        return values[block["NdsCom"]] is False and self._find(None, str(values[block["DatSet"]])) is not None
