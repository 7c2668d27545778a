"""A process that says what its test wants, and remembers what it was asked."""

from collections.abc import Callable, Sequence
from typing import Any

from mms_server.acsi.control.process import Process, Setting
from mms_server.acsi.control.selection import Operation, Selection
from mms_server.acsi.controllable_objects import ControlObject


class ScriptedProcess(Process):
    """Begins every operation with `verdict`, or as `begins` says; is asked before selections where `judge` is set.

    Settings at the slots `registers` stand in registers; what is to be written there is answered with `written_as`.
    """

    def __init__(self) -> None:
        self.verdict: Any = True
        self.begins: Callable[[Operation], Any] | None = None
        self.judge: Callable[[Selection | Operation], Any] | None = None
        self.written_as: Any = True
        self.registers: set[int] = set()
        self.done: list[Operation] = []
        self.written: list[list[Setting]] = []

    def checks(self, _target: ControlObject) -> bool:
        return self.judge is not None

    def check(self, asked: Selection | Operation) -> Any:
        assert self.judge is not None
        return self.judge(asked)

    def begin(self, operation: Operation) -> Any:
        self.done.append(operation)
        return self.verdict if self.begins is None else self.begins(operation)

    def holds(self, slot: int) -> bool:
        return slot in self.registers

    def write_settings(self, settings: Sequence[Setting]) -> Any:
        self.written.append(list(settings))
        return self.written_as
