"""Controls from the client's side: the services that each control model needs, and the result (IEC 61850-7-2, control).

direct, normal security      Oper
SBO, normal security         read SBO, Oper
direct, enhanced security    Oper, CommandTermination
SBO, enhanced security       SBOw, Oper, CommandTermination
"""

from dataclasses import dataclass, replace
from typing import Final

from bus.quality import UtcTime
from mapping.model import FC
from mapping.references import ObjectReference
from mms_server.client.directory import Directory, Variable
from mms_server.client.errors import MmsError
from mms_server.client.information import CommandTermination, Information, LastApplError
from mms_server.client.session import Session
from mms_server.client.types import Structure, Type, Value, encode_for, zero
from mms_server.mms.add_cause import AddCause

DIRECT_NORMAL, SBO_NORMAL, DIRECT_ENHANCED, SBO_ENHANCED = range(1, 5)
REMOTE_CONTROL: Final = 3
SYNCHRO_CHECK: Final = 0b10
INTERLOCK_CHECK: Final = 0b01


@dataclass(frozen=True, slots=True)
class Origin:
    """The originator of a control: orCat and orIdent."""

    category: int = REMOTE_CONTROL
    ident: bytes = b"test"


TEST: Final = Origin()


@dataclass(frozen=True, slots=True)
class Operated:
    """The result of a control; true if it was done. `add_cause` is the server's reason, None if it gave none."""

    ok: bool
    add_cause: AddCause | None = None
    error: str = ""  # which step failed, and how

    def __bool__(self) -> bool:
        return self.ok


@dataclass(frozen=True, slots=True)
class _ControlParameters:
    """The parameters of one control, for as many members as the object's type has."""

    value: bool | float
    origin: Origin
    number: int
    at: UtcTime
    test: bool
    check: int

    def members(self, kind: Structure) -> dict[str, Value]:
        """The members of Oper or SBOw in its own type; operTm, which is not used, is zero."""
        known: dict[str, Value] = {
            "origin": {"orCat": self.origin.category, "orIdent": self.origin.ident},
            "ctlNum": self.number,
            "T": self.at,
            "Test": self.test,
            "Check": self.check,
        }
        found = {name: known.get(name, zero(member)) for name, member in kind.members.items()}
        return found | {"ctlVal": _ctl_val(kind.members.get("ctlVal"), self.value)}


def _ctl_val(kind: Type | None, value: bool | float) -> Value:
    """`value` as ctlVal has it: bare, or as the `f` (the `i`, where there is no `f`) of an analogue value."""
    if not isinstance(kind, Structure):
        return value
    return {name: zero(member) for name, member in kind.members.items()} | {"f" if "f" in kind.members else "i": value}


class Operator:
    """Carries out controls on one association, numbering them."""

    def __init__(self, session: Session, directory: Directory) -> None:
        self._session = session
        self._directory = directory
        self._number = 0

    def operate(
        self,
        reference: str,
        value: bool | float,
        *,
        test: bool,
        interlock: bool,
        synchro: bool,
        origin: Origin,
        timeout_s: float,
    ) -> Operated:
        """See MmsClient.operate."""
        variable, kind = self._object(reference)
        model = self._model(reference, variable)
        self._number = self._number % 255 + 1
        check = SYNCHRO_CHECK * synchro | INTERLOCK_CHECK * interlock
        at = UtcTime(self._session.now().utc_ns)
        parameters = _ControlParameters(value, origin, self._number, at, test, check)
        if model == SBO_NORMAL and self._session.value(reference, variable.domain, f"{variable.item}$SBO") == "":
            return Operated(False, None, "select: refused")
        steps = ("SBOw", "Oper") if model == SBO_ENHANCED else ("Oper",)
        for step in steps:
            failed = self._written(reference, variable, kind, step, parameters)
            if failed is not None:
                return failed
        return self._end(variable, timeout_s) if model in (DIRECT_ENHANCED, SBO_ENHANCED) else Operated(True)

    def _object(self, reference: str) -> tuple[Variable, Structure]:
        """The object's variable under CO, and its type."""
        under_co = replace(ObjectReference.parse(reference), fc=FC.CO)
        (variable,) = self._directory.variables(str(under_co))
        kind = self._directory.type_of(variable)
        if not isinstance(kind, Structure) or not isinstance(kind.members.get("Oper"), Structure):
            raise MmsError(reference, "no data object with Oper")
        return variable, kind

    def _model(self, reference: str, variable: Variable) -> int:
        """The ctlModel; direct with normal security where the object has none."""
        ln, _, path = variable.item.split("$", 2)
        item = f"{ln}$CF${path}$ctlModel"
        if item not in self._directory.items(variable.domain):
            return DIRECT_NORMAL
        model = self._session.value(reference, variable.domain, item)
        return model if isinstance(model, int) else DIRECT_NORMAL

    def _written(
        self, reference: str, variable: Variable, kind: Structure, step: str, parameters: _ControlParameters
    ) -> Operated | None:
        """Write SBOw or Oper; None if the server takes it."""
        structure = kind.members.get(step)
        if not isinstance(structure, Structure):
            raise MmsError(reference, f"its ctlModel needs {step}, which it does not have")
        item = f"{variable.item}${step}"
        data = encode_for(reference, structure, parameters.members(structure))
        try:
            self._session.write(reference, variable.domain, item, data)
        except MmsError as error:
            if error.error is None:
                raise  # nothing that the server said of this control
            diagnosis = self._session.take(lambda one: _refusal(one, f"{variable.domain}/{item}", parameters.number))
            verb = "select" if step == "SBOw" else "operate"
            return Operated(False, None if diagnosis is None else diagnosis.add_cause, f"{verb}: {error.reason}")
        return None

    def _end(self, variable: Variable, timeout_s: float) -> Operated:
        """The result in CommandTermination."""
        name = f"{variable}$Oper"
        ended = self._session.hear(lambda one: _termination(one, name), self._session.until_ns(timeout_s))
        if ended is None:
            return Operated(False, None, f"no CommandTermination within {timeout_s:g} s")
        return Operated(True) if ended.error is None else Operated(False, ended.error.add_cause, "terminated")


def _refusal(information: Information, variable: str, number: int) -> LastApplError | None:
    return (
        information
        if isinstance(information, LastApplError) and (information.variable, information.ctl_num) == (variable, number)
        else None
    )


def _termination(information: Information, variable: str) -> CommandTermination | None:
    return information if isinstance(information, CommandTermination) and information.variable == variable else None
