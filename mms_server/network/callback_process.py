"""The process of an embedding program: its callbacks carry controls out, or a simulated process does."""

from mms_server.acsi.access_callbacks import AccessCallbacks, Call, Verdict
from mms_server.acsi.control.process import Process
from mms_server.acsi.control.selection import Operation, Selection
from mms_server.acsi.controllable_objects import ControlObject
from mms_server.model.tree import DataModel
from mms_server.network.callbacks import verdict_of
from mms_server.simulated_process import SimulatedProcess, Update


class CallbackProcess(Process):
    """The process of one library server. `checking` are asked before a control begins, `controls` carry it out."""

    def __init__(self, model: DataModel) -> None:
        self.checking, self.controls = AccessCallbacks(model), AccessCallbacks(model)
        self._simulated: SimulatedProcess | None = None

    def simulate(self, update: Update) -> None:
        """Let every accepted control drive its own status by `update`, instead of `controls`."""
        self._simulated = SimulatedProcess(update)

    def checks(self, target: ControlObject) -> bool:
        """True if a callback checks `target`."""
        return self.checking.of(target.slots["Oper"]) is not None

    async def check(self, asked: Selection | Operation) -> Verdict:
        """The verdict of the callback that checks the object; True without one."""
        return await _said(self.checking, asked)

    async def begin(self, operation: Operation) -> Verdict:
        """Check it and, with normal security, carry it out."""
        verdict = await self.check(operation)
        if verdict is not True or operation.enhanced:
            return verdict
        return await self.complete(operation)

    async def complete(self, operation: Operation) -> Verdict:
        """Carry it out."""
        if self._simulated is not None:
            return await self._simulated.complete(operation)
        return await _said(self.controls, operation)

    def sets_mode(self, mode: ControlObject) -> bool:
        """True if a callback carries Mod out."""
        return self._simulated is None and self.controls.of(mode.slots["Oper"]) is not None


async def _said(callbacks: AccessCallbacks, asked: Selection | Operation) -> Verdict:
    target = asked.target
    callback = callbacks.of(target.slots["Oper"])
    return (
        True if callback is None else await verdict_of(Call(callback, (asked.client, target.reference, asked.action)))
    )
