"""Commands: the way from a control of the model to a register of a device."""

from typing import Final

from bus.messages import Value
from mapping.diagnostics import Span
from mapping.expressions import ExpressionError, compile_expression
from mapping.located import inside
from mapping.passes.carry import Pairs, commanded, control_value, point_value
from mapping.passes.conversion import Conversion, UnsuitableError, conversion
from mapping.passes.draft import Draft, DraftIed, DraftPoint, Target
from mapping.passes.finding import Miss, find_point
from mapping.passes.objects import CONTROLLABLE, Leaf
from mapping.plan import CommandBinding
from mapping.schema import Command

DEFAULT_COMMAND_MS: Final = 2000
_STATUS_ONLY: Final = 0


def bind_command(draft: Draft, ied: DraftIed, target: Target, command: Command) -> None:
    """Add the command of a row to its IED, or say why there can be none."""
    _Command(draft, ied, target, command).bind()


class _Command:
    """One row's `command:`."""

    def __init__(self, draft: Draft, ied: DraftIed, target: Target, command: Command) -> None:
        self._draft = draft
        self._ied = ied
        self._target = target
        self._command = command

    def bind(self) -> None:
        control = self._control()
        to = self._writable("to", self._command.to)
        proof = self._point("proof", self._command.proof) if self._command.proof else None
        off = self._writable("off", self._command.off) if self._command.off else None
        if proof is not None and not proof.plan.readable:
            self._say("not-readable", self._at("proof"), f"`{self._command.proof}` has no `read`: it proves nothing")
            return
        if (
            control is None
            or to is None
            or (self._command.proof and proof is None)
            or (self._command.off and off is None)
        ):
            return
        if not self._interlock():
            return
        try:
            self._add(control, to, proof, off)
        except UnsuitableError as error:
            self._say(error.code, self._at("to"), str(error), error.hint)

    def _interlock(self) -> bool:
        """True if `allow_if` is an expression over points that there are; they are polled then."""
        text = self._command.allow_if
        if text is None:
            return True
        place = self._at("allow_if")
        try:
            expression = compile_expression(text)
        except ExpressionError as error:
            hint = "`not io1.local and feeder1.voltage_l1 > 180`"
            self._say("expression", inside(place, text, error.word) if error.word else place, str(error), hint)
            return False
        found = [(name, find_point(self._draft, name)) for name in expression.points]
        for name, point in found:
            if isinstance(point, Miss):
                self._say(point.code, inside(place, text, name), point.message, point.hint)
        known = [point for _, point in found if isinstance(point, DraftPoint)]
        self._draft.used.update(point.plan.number for point in known)
        return len(known) == len(found)

    def _control(self) -> Leaf | None:
        thing = self._target.object
        control = thing.leaf("Oper.ctlVal")
        place = self._ied.map_file.key_at("points", self._target.key, "command")
        if thing.type.cdc not in CONTROLLABLE or control is None:
            self._say("no-control", place, f"`{thing.reference}` ({thing.type.cdc}) takes no commands")
            return None
        if thing.configured("ctlModel") == _STATUS_ONLY:
            self._say("no-control", place, f"`{thing.reference}` takes no commands: its ctlModel is status-only")
            return None
        return control

    def _add(self, control: Leaf, to: DraftPoint, proof: DraftPoint | None, off: DraftPoint | None) -> None:
        device = self._draft.devices[to.plan.name.partition(".")[0]]
        worst = 2 * device.timeout_ms * (1 + device.retries)
        values = self._values(control, to)
        back = self._back(to) if values == () and to.kind == "number" else Conversion()
        self._ied.commands.append(
            CommandBinding(
                reference=self._target.object.reference,
                point=to.plan.number,
                timeout_ms=self._command.timeout or device.command_timeout_ms or max(DEFAULT_COMMAND_MS, worst),
                proof=None if proof is None else proof.plan.number,
                scale=back.scale,
                offset=back.offset,
                values=values,
                pulse_ms=self._command.pulse,
                off_point=None if off is None else off.plan.number,
                minimum=None if self._command.min is None else float(self._command.min),
                maximum=None if self._command.max is None else float(self._command.max),
                allow_if=self._command.allow_if,
            )
        )
        self._draft.used.update(one.plan.number for one in (to, proof) if one is not None and one.plan.readable)

    def _values(self, control: Leaf, to: DraftPoint) -> Pairs:
        """Control value -> point value: the row's `values:` turned round, or what the types say."""
        turned: list[tuple[Value, Value]] = []
        for key, given in self._target.row.values.items():
            there = point_value(to, key)
            here = control_value(control.attribute, given)
            if there is not None and here is not None:
                turned.append((here, there))
        values = tuple(turned) or commanded(to, control.attribute)
        if values is None:
            basic = control.attribute.basic.value
            message = f"`{to.plan.name}` is a {to.kind}, which ctlVal of `{self._target.object.reference}` ({basic}) cannot set"
            raise UnsuitableError("type-mismatch", message)
        return values

    def _back(self, to: DraftPoint) -> Conversion:
        """From the object's unit to that of the point that is written."""
        leaves = self._target.object.value_leaves()
        found = conversion(self._target, to, leaves[0]) if leaves else Conversion()
        return Conversion(1 / found.scale, -found.offset / found.scale)

    # ------------------------------------------------------------------ points

    def _writable(self, key: str, text: str) -> DraftPoint | None:
        point = self._point(key, text)
        if point is not None and point.plan.write is None:
            self._say("not-writable", self._at(key), f"`{text}` has no `write:` register")
            return None
        return point

    def _point(self, key: str, text: str) -> DraftPoint | None:
        point = find_point(self._draft, text)
        if isinstance(point, Miss):
            self._say(point.code, inside(self._at(key), text, point.word), point.message, point.hint)
            return None
        return point

    def _at(self, key: str) -> Span:
        located = self._ied.map_file
        path = ("points", self._target.key, "command")
        return located.values.get((*path, key)) or located.at(*path)

    def _say(self, code: str, place: Span, message: str, hint: str | None = None) -> None:
        if not any(one.code == code and one.message == message for one in self._draft.found):
            self._draft.found.error(code, place, message, hint=hint)
