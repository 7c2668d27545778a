"""Which leaf concerns which report control blocks: the index that a commit is looked up in (pure).

    leaf ──► those who listen to one data set, and as which of its members the leaf counts ──► their blocks

Blocks with the same data set listen together, so a change is looked up once for all of them.
"""

from mms_server.acsi.reporting import rcb
from mms_server.acsi.reporting.rcb import Listeners, ReportControlBlock
from mms_server.model.cache import Changes
from mms_server.model.datasets import DataSet
from mms_server.model.tree import DataModel


class Listening:
    """Who listens to what. `index`: leaf -> who listens, and as which member it counts."""

    def __init__(self, model: DataModel) -> None:
        self.index: dict[int, list[tuple[Listeners, int]]] = {}
        self._model = model
        self._listeners: dict[int, Listeners] = {}  # by the identity of the data set

    def attach(self, block: ReportControlBlock, data_set: DataSet | None) -> None:
        """Give the block `data_set`, and tell it of its members if the block listens."""
        self.detach(block)
        block.data_set = data_set
        if not block.listens or data_set is None:
            return
        listeners = self._listeners.get(id(data_set)) or self._listened_to(data_set)
        listeners.blocks.append(block)
        block.listeners = listeners

    def _listened_to(self, data_set: DataSet) -> Listeners:
        """From now on the changes of `data_set` are told to its blocks."""
        listeners = self._listeners[id(data_set)] = Listeners(data_set)
        for number, member in enumerate(data_set.members):
            for slot in self._model.triggering(member.slot):
                self.index.setdefault(slot, []).append((listeners, number))
        return listeners

    def detach(self, block: ReportControlBlock) -> None:
        """The block has no data set any more, and hears of nothing."""
        listeners, block.listeners, block.data_set = block.listeners, None, None
        if listeners is None:
            return
        listeners.blocks.remove(block)
        if listeners.blocks:
            return
        del self._listeners[id(listeners.data_set)]
        for member in listeners.data_set.members:
            for slot in self._model.triggering(member.slot):
                rest = [one for one in self.index.get(slot, ()) if one[0] is not listeners]
                if rest:
                    self.index[slot] = rest
                else:
                    self.index.pop(slot, None)

    def touched(self, changes: Changes) -> list[tuple[Listeners, dict[int, int]]]:
        """Whom one commit concerns, each with the triggers of the members that it has changed."""
        if not self.index:
            return []
        found: list[Listeners] = []
        index = self.index
        for slots, trigger in ((changes.dchg, rcb.DCHG), (changes.qchg, rcb.QCHG), (changes.dupd, rcb.DUPD)):
            for slot in slots:
                for listeners, member in index.get(slot, ()):
                    members = listeners.touched
                    if not members:
                        found.append(listeners)
                    members[member] = members.get(member, 0) | trigger
        return [(listeners, listeners.taken()) for listeners in found]
