"""The process behind a server: it is asked when clients select, operate, or write settings that are in registers of a device.

    the field        commands over the bus to the workers                  field/commands.py
    simulated        every operation drives its own status                 simulated_process.py
    callbacks        those that the embedding program has registered       ied_server.py

Mod has no process behind it: the engine carries it out, see `mode` (D110).
"""

from collections.abc import Awaitable, Sequence

from mms_server.acsi.access_callbacks import Verdict
from mms_server.acsi.control.selection import Operation, Selection
from mms_server.acsi.controllable_objects import ControlObject
from mms_server.mms.data import Scalar

Answer = Verdict | Awaitable[Verdict]
Setting = tuple[int, Scalar, Scalar]  # the slot, the value that it is to have, the one in force


class Process:
    """A process that accepts every operation and changes nothing; the base class of all others.

    The methods that give an Answer may be async. They run outside the engine's lock, and several at a time.
    """

    def checks(self, _target: ControlObject) -> bool:
        """True if `check` is asked before `_target` is selected, or keeps an Oper for later."""
        return False

    def check(self, _asked: Selection | Operation) -> Answer:
        """True, False (select-failed) or the AddCause that refuses a selection, or an operation of Mod."""
        return True

    def begin(self, _operation: Operation) -> Answer:
        """Carry an operation out or, with enhanced security, begin it. True, False (blocked-by-process) or an AddCause."""
        return True

    def complete(self, _operation: Operation) -> Answer:
        """The end of an operation with enhanced security that has begun: True, False or an AddCause."""
        return True

    def sets_mode(self, _mode: ControlObject) -> bool:
        """True if this Mod is carried out by `begin` and `complete`, as any other object, and not by the engine."""
        return False

    def holds(self, _slot: int) -> bool:
        """True if the setting in force at `_slot` is in a register of a device: `write_settings` writes it."""
        return False

    def write_settings(self, _settings: Sequence[Setting]) -> Answer:
        """Write settings that it `holds`, all or none: True, False (object-access-denied) or a DataAccessError."""
        return True
