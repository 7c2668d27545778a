"""Commands: the way from a control, or a setting, of the model to a register of a device."""

from typing import Final

from bus.messages import Value
from mapping.diagnostics import Span
from mapping.expressions import ExpressionError, compile_expression
from mapping.located_yaml.located import inside
from mapping.model import FC, BasicType
from mapping.passes.conversion import BindingError, Conversion, conversion
from mapping.passes.draft import Draft, DraftIed, DraftPoint, Target
from mapping.passes.point_lookup import Miss, find_point
from mapping.passes.type_check import ValueTable, commanded, control_value, point_value
from mapping.passes.value_attributes import CONTROLLABLE, Leaf
from mapping.plan import CommandBinding, Proof, Register, SettingBinding
from mapping.schema.map import Command

DEFAULT_COMMAND_MS: Final = 2000
HIGHER, LOWER = 2, 1  # of a Tcmd
_STATUS_ONLY: Final = 0
_SETTINGS: Final = (FC.SP, FC.SG, FC.SE)


def bind_command(draft: Draft, ied: DraftIed, target: Target, command: Command) -> None:
    """Add the command of a row to its IED, or say why there can be none."""
    leaves = target.object.value_leaves()
    if leaves and leaves[0].fc in _SETTINGS:
        _Command(draft, ied, target, command).bind_setting(leaves[0])
    else:
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
        off = self._writable("off", self._command.off) if self._command.off else None
        proof = self._point("proof", self._command.proof) if self._command.proof else None
        if proof is not None and not proof.plan.readable:
            self._say("not-readable", self._at("proof"), f"`{self._command.proof}` has no `read`: it proves nothing")
            return
        if proof is not None and proof.plan.scale_from is not None:
            message = f"`{self._command.proof}` has a scale in a register: how near it must come is not known"
            self._say("bad-row", self._at("proof"), message)
            return
        if control is None or to is None:
            return
        if (self._command.off and off is None) or (self._command.proof and proof is None) or not self._interlock():
            return
        try:
            self._add(control, to, proof, off)
        except BindingError as error:
            self._say(error.code, self._at("to"), str(error), error.hint)

    def bind_setting(self, setting: Leaf) -> None:
        """The binding of a setting: it is written when its group is activated, or when a client writes it."""
        more = self._command.model_fields_set - {"to", "timeout"}
        if more:
            name = min(more)
            place = self._ied.map_file.key_at("points", self._target.key, "command", name)
            self._say("bad-row", place, f"`{self._target.object.reference}` is a setting: it takes `to` and `timeout`")
            return
        to = self._writable("to", self._command.to)
        if to is None:
            return
        if not to.plan.readable:
            self._say("not-readable", self._at("to"), f"`{self._command.to}` has no `read`: nothing proves the setting")
            return
        force = Leaf(FC.SG, setting.path, setting.attribute) if setting.fc is FC.SE else setting
        try:
            values = self._values(setting, to)
            back = self._back(to) if values == () and to.kind == "number" else Conversion()
        except BindingError as error:
            self._say(error.code, self._at("to"), str(error), error.hint)
            return
        thing = self._target.object
        self._ied.settings_bound.append(
            SettingBinding(
                force.target(thing.ld.name, thing.ln.name),
                to.plan.number,
                self._timeout(to),
                back.scale,
                back.offset,
                values,
            )
        )
        self._draft.used.add(to.plan.number)

    def _timeout(self, to: DraftPoint) -> int:
        device = self._draft.devices[to.plan.name.partition(".")[0]]
        worst = 2 * device.polling.timeout_ms * (1 + device.polling.retries)
        return self._command.timeout or device.polling.command_timeout_ms or max(DEFAULT_COMMAND_MS, worst)

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
        if off is not None and proof is None and self._command.pulse is None:
            message = (
                f"nothing sets `{self._command.to}` and `{self._command.off}` back: after two commands both are on"
            )
            hint = "`pulse: 500ms`; or `proof:`, if the device sets them back itself"
            self._draft.found.warning("no-pulse", self._at("off"), message, hint=hint)
        values = self._values(control, to, stepped=off is not None)
        back = self._back(to) if values == () and to.kind == "number" else Conversion()
        self._ied.commands.append(
            CommandBinding(
                reference=self._target.object.reference,
                point=to.plan.number,
                timeout_ms=self._timeout(to),
                proof=None if proof is None else self._proof(control, proof, self._timeout(to)),
                scale=back.scale,
                offset=back.offset,
                values=values,
                pulse_ms=self._command.pulse,
                off_point=None if off is None else off.plan.number,
                minimum=None if self._command.min is None else float(self._command.min),
                maximum=None if self._command.max is None else float(self._command.max),
                allow_if=self._command.allow_if,
                one_of=self._command.one_of,
            )
        )
        self._draft.used.update(one.plan.number for one in (to, proof) if one is not None and one.plan.readable)
        self._draft.used.update(one.plan.scale_from.point for one in (to, off) if one and one.plan.scale_from)

    def _values(self, control: Leaf, point: DraftPoint, *, stepped: bool = False) -> ValueTable:
        """Control value -> value of `point`: the row's `values:` turned round, or what the types say.

        `values:` is said of the point that feeds the row; for a point of another kind the types decide.
        """
        fed = self._target.point
        turned: list[tuple[Value, Value]] = []
        for key, given in self._target.row.values.items() if fed is None or fed.kind == point.kind else ():
            there = point_value(point, key)
            here = control_value(control.attribute, given)
            if there is not None and here is not None:
                turned.append((here, there))
        step = ((HIGHER, True), (LOWER, False))
        by_two = stepped and point.kind == "bool" and control.attribute.basic is BasicType.TCMD
        values = tuple(turned) or (step if by_two else commanded(point, control.attribute))
        if values is None:
            basic = control.attribute.basic.value
            thing = self._target.object.reference
            kind = "ctlVal" if control.fc is FC.CO else "the value"
            message = f"`{point.plan.name}` is a {point.kind}, which {kind} of `{thing}` ({basic}) cannot set"
            raise BindingError("type-mismatch", message)
        return values

    def _proof(self, control: Leaf, proof: DraftPoint, timeout_ms: int) -> Proof:
        """The proof of the command: the values that the point `proof` shows once it is done."""
        within = self._command.proof_timeout or timeout_ms
        if control.attribute.basic is BasicType.TCMD:
            return Proof(proof.plan.number, within, moves=True)
        try:
            values = self._values(control, proof)
            back = self._back(proof) if values == () and proof.kind == "number" else Conversion()
        except BindingError as error:
            raise BindingError(error.code, str(error).replace("cannot set", "never shows"), error.hint) from None
        return Proof(proof.plan.number, within, values, back.scale, back.offset, _step(proof))

    def _back(self, to: DraftPoint) -> Conversion:
        """The conversion from the object's unit to that of the point that is written."""
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


def _step(point: DraftPoint) -> float:
    """Half of the least change that the register of `point` can show."""
    source = point.plan.source
    floating = isinstance(source, Register) and source.type.startswith("float")
    return 0.0 if floating else abs(point.plan.scale) / 2
