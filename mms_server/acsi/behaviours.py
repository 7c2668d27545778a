"""All behaviours of one server. A new one is one line here (D111).

The engine walks them in the order in which they stand. When a client goes or time has passed, commands and edits end before
reports are made, so that their changes are still reported; changes of values go to reports first, then to logs.
"""

from collections.abc import Mapping
from pathlib import Path

from mms_server.acsi.access_callbacks import Permissions
from mms_server.acsi.behaviour import Behaviour, ControlBlocks
from mms_server.acsi.control.control import Control
from mms_server.acsi.control.process import Process
from mms_server.acsi.data_sets import CreatedDataSets
from mms_server.acsi.file_transfer.files import Files
from mms_server.acsi.file_transfer.set_file import SetFile
from mms_server.acsi.goose_sv_blocks import GooseSvBlocks
from mms_server.acsi.log_control.logs import Logs
from mms_server.acsi.measured_values.measured_values import MeasuredValues
from mms_server.acsi.persistence import Persistence, StoredState
from mms_server.acsi.reporting.dispatch import Dispatch
from mms_server.acsi.reporting.entry_buffer import BufferLimits
from mms_server.acsi.reporting.entry_creation import Reporting
from mms_server.acsi.reporting.rcb_writing import RcbWriting
from mms_server.acsi.set_data_values import SetDataValues
from mms_server.acsi.setting_groups import SettingGroups
from mms_server.acsi.substitution import Substitution
from mms_server.acsi.tracking.tracking import tracking_of
from mms_server.model.cache import Commit
from mms_server.model.tree import DataModel


class Behaviours:
    """The behaviours of one server, by name and as tuples for the engine.

    `walked` has each once. `listening` are those that override `changed`, `timed` those that have deadlines: they are
    walked with every commit. `commit` takes values into the model, and reports follow. `own_folders`
    are the server's files, by the name of their folder; where there are some, clients see exports of the logs as well.
    """

    def __init__(
        self,
        model: DataModel,
        stored: StoredState | None,
        commit: Commit,
        process: Process,
        permissions: Permissions,
        buffers: BufferLimits | None,
        own_folders: Mapping[str, Path],
    ) -> None:
        self.process = process
        self.permissions = permissions
        self.persistence = persistence = Persistence(
            durable=stored is not None, next_id=stored.next_id if stored else 0
        )
        self.dispatch = Dispatch(persistence)
        self.sets = CreatedDataSets(model, persistence, stored)
        self.tracking = tracking_of(model, commit)
        self.control = Control(model, self.dispatch.post, commit, process, self.tracking)
        self.setting_groups = SettingGroups(model, persistence, stored, commit, process)
        self.set_data_values = SetDataValues(model, persistence, stored, permissions, self.setting_groups)
        self.reporting = Reporting(model, self.sets.by_text, persistence, stored, self.dispatch, buffers)
        self.blocks = RcbWriting(model, self.sets.by_text, self.reporting)
        self.logs = Logs(model, self.sets.by_text, persistence, stored)
        self.files = Files(own=own_folders, made=self.logs.exported if own_folders else None)
        self.set_file = SetFile(self.files)
        self.goose_sv_blocks = GooseSvBlocks(model, self.sets.by_text, commit)
        self.substitution = Substitution(model)
        self.measured_values = MeasuredValues(model, self.substitution.process)

        self.walked: tuple[Behaviour, ...] = tuple(one for one in vars(self).values() if isinstance(one, Behaviour))
        self.listening = tuple(one for one in self.walked if type(one).changed is not Behaviour.changed)
        self.releasing = tuple(one for one in self.walked if type(one).closed is not Behaviour.closed)
        self.timed = tuple(one for one in self.walked if type(one).next_deadline_ns is not Behaviour.next_deadline_ns)
        self._control_blocks = tuple(one for one in self.walked if isinstance(one, ControlBlocks))

    def owner(self, slot: int) -> ControlBlocks | None:
        """The behaviour that owns the control block at or around `slot`; None if there is none."""
        for one in self._control_blocks:
            if one.owns(slot):
                return one
        return None
