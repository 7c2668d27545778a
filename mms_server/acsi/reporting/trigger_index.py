"""Trigger index: from a changed leaf to the report control blocks that monitor it (pure).

    leaf ──► the blocks of one data set, and the number of its member that the leaf belongs to ──► each block

Blocks with the same data set share an entry, so a change is looked up once for all of them.
"""

from mms_server.acsi.reporting import rcb
from mms_server.acsi.reporting.rcb import DataSetBlocks, ReportControlBlock
from mms_server.model.cache import Changes
from mms_server.model.datasets import DataSet
from mms_server.model.tree import DataModel


class TriggerIndex:
    """The index of one server. `index`: leaf -> the blocks of each data set that has it, and the number of its member."""

    def __init__(self, model: DataModel) -> None:
        self.index: dict[int, list[tuple[DataSetBlocks, int]]] = {}
        self._model = model
        self._data_set_blocks: dict[int, DataSetBlocks] = {}  # by the identity of the data set

    def attach(self, block: ReportControlBlock, data_set: DataSet | None) -> None:
        """Give the block `data_set`, and index its members if the block monitors them."""
        self.detach(block)
        block.data_set = data_set
        if not block.listens or data_set is None:
            return
        data_set_blocks = self._data_set_blocks.get(id(data_set)) or self._indexed(data_set)
        data_set_blocks.blocks.append(block)
        block.data_set_blocks = data_set_blocks

    def _indexed(self, data_set: DataSet) -> DataSetBlocks:
        """Index the leaves of `data_set`."""
        data_set_blocks = self._data_set_blocks[id(data_set)] = DataSetBlocks(data_set)
        for number, member in enumerate(data_set.members):
            for slot in self._model.triggering(member.slot):
                self.index.setdefault(slot, []).append((data_set_blocks, number))
        return data_set_blocks

    def detach(self, block: ReportControlBlock) -> None:
        """Take its data set from the block, and remove it from the index with the last of its blocks."""
        data_set_blocks, block.data_set_blocks, block.data_set = block.data_set_blocks, None, None
        if data_set_blocks is None:
            return
        data_set_blocks.blocks.remove(block)
        if data_set_blocks.blocks:
            return
        del self._data_set_blocks[id(data_set_blocks.data_set)]
        for member in data_set_blocks.data_set.members:
            for slot in self._model.triggering(member.slot):
                rest = [one for one in self.index.get(slot, ()) if one[0] is not data_set_blocks]
                if rest:
                    self.index[slot] = rest
                else:
                    self.index.pop(slot, None)

    def touched(self, changes: Changes) -> list[tuple[DataSetBlocks, dict[int, int]]]:
        """The data sets that one commit concerns, each with the triggers of its changed members."""
        if not self.index:
            return []
        found: list[DataSetBlocks] = []
        index = self.index
        for slots, trigger in ((changes.dchg, rcb.DCHG), (changes.qchg, rcb.QCHG), (changes.dupd, rcb.DUPD)):
            for slot in slots:
                for data_set_blocks, member in index.get(slot, ()):
                    members = data_set_blocks.touched
                    if not members:
                        found.append(data_set_blocks)
                    members[member] = members.get(member, 0) | trigger
        return [(data_set_blocks, data_set_blocks.taken()) for data_set_blocks in found]
