"""A small client for tests: read, wait, write, operate and reports of one server, by ACSI references.

`LD/LN.DO.DA`, the LD by its inst or full name, with ` [FC]` where the name alone does not decide. A leaf is its value, a
structure a dict by names; `q` is a Quality (an int), `t` a UtcTime, an enumeration its ordinal, a bit string an integer.
Without FC a data object is its process data: ST and MX in one dict; what has neither is all of it but CO and SE.
"""

from typing import Final

from bus.quality import UtcTime, describe
from mms_server.client.controls import TEST, Operated, Operator, Origin
from mms_server.client.directory import PROCESS, Directory, Variable
from mms_server.client.errors import MmsError, understood
from mms_server.client.session import Session, Wire
from mms_server.client.subscription import Subscription
from mms_server.client.types import Value, decode, encode_for, inside, same
from mms_server.mms.errors import DataAccessError

POLL_S: Final = 0.05
WITHIN_S: Final = 2.0


class MmsClient:
    """One association. Raises MmsError when it is made if the server does not answer, or does not let us in.

    `timeout_s` is how long any one answer may take.
    """

    def __init__(self, wire: Wire, address: str, *, password: str | None = None, timeout_s: float = 10.0) -> None:
        self._session = Session(wire, address, password, timeout_s)
        self._directory = Directory(self._session)
        self._operator = Operator(self._session, self._directory)

    def read(self, reference: str) -> Value:
        """The value of what `reference` names. Raises MmsError, which says why there is none."""
        variables = self._directory.variables(reference)
        types = [self._directory.type_of(one) for one in variables]
        results = self._session.read(reference, *((one.domain, one.item) for one in variables))
        values = []
        for variable, kind, result in zip(variables, types, results, strict=True):
            if isinstance(result, DataAccessError):
                raise MmsError.refused(_with_fc(reference, variable), result)
            with understood(reference):
                whole = decode(result, kind)
            try:
                values.append(inside(whole, variable.tail))
            except LookupError as error:
                raise MmsError(reference, "no such element") from error
        return _merged(values)

    def wait(self, reference: str, value: object, within: float = WITHIN_S) -> Value:
        """Read until it equals `value`, for `within` seconds at most; the value then.

        `value` may be anything that compares: a `pytest.approx` too. A float means the nearest that a FLOAT32 holds.
        Raises AssertionError that says what was there instead, how good, and for how long it was looked at.
        """
        until_ns = self._session.until_ns(within)
        while True:
            seen = self.read(reference)
            if same(seen, value):
                return seen
            if self._session.now().monotonic_ns >= until_ns:
                raise AssertionError(
                    f"{reference} is {seen!r}{self._how_good(reference)} after {within:g} s, expected {value!r}"
                )
            pause_ns = min(self._session.until_ns(POLL_S), until_ns)
            while self._session.listen(pause_ns):
                pass

    def _how_good(self, reference: str) -> str:
        """The quality and time that stand beside a process value, in words; nothing where there are none."""
        for variable in self._directory.variables(reference):
            ln, fc, *path = variable.item.split("$")
            for depth in range(len(path), 0, -1):
                above = "$".join((ln, fc, *path[:depth]))
                if variable.fc in PROCESS and f"{above}$q" in self._directory.items(variable.domain):
                    return self._described(variable.domain, above)
        return ""

    def _described(self, domain: str, above: str) -> str:
        found = self._session.read(f"{domain}/{above}", (domain, f"{above}$q"), (domain, f"{above}$t"))
        with understood(f"{domain}/{above}"):
            q, t = (None if isinstance(one, DataAccessError) else decode(one) for one in found)
        quality = describe(q) if isinstance(q, int) else "of unknown quality"
        since = f", since {t.datetime().isoformat(timespec='milliseconds')}" if isinstance(t, UtcTime) else ""
        return f", {quality}{since},"

    def write(self, reference: str, value: object) -> None:
        """Write one variable. Raises MmsError if the server refuses, or the variable cannot hold it."""
        variables = self._directory.variables(reference)
        if len(variables) != 1 or variables[0].tail:
            constraints = ", ".join(one.fc.value for one in variables if one.fc is not None)
            raise MmsError(
                reference, f"not one variable to write, name one of {constraints}, and no element of an array"
            )
        (variable,) = variables
        data = encode_for(reference, self._directory.type_of(variable), value)
        self._session.write(reference, variable.domain, variable.item, data)

    def operate(
        self,
        reference: str,
        value: bool | float,
        *,
        test: bool = False,
        interlock: bool = True,
        synchro: bool = True,
        origin: Origin = TEST,
        timeout: float = 10.0,
    ) -> Operated:
        """Control the data object `reference` as its ctlModel says: select where it must be, operate, wait for the end.

        `interlock` and `synchro` are the bits of Check. `timeout` seconds are given to CommandTermination, where the
        model has one. The result is true if the command was done, and otherwise has the reason.
        Raises MmsError if there is no such control.
        """
        return self._operator.operate(
            reference, value, test=test, interlock=interlock, synchro=synchro, origin=origin, timeout_s=timeout
        )

    def reports(
        self, rcb: str, *, interrogate: bool = False, integrity_ms: int = 0, backlog: bool = False
    ) -> Subscription:
        """The reports of `rcb`, reserved and enabled until the subscription is closed; see there.

        `rcb` is `LD/LN.name`; of `name01`, `name02` ... the first that is free. `interrogate` asks for one report of
        everything; `integrity_ms` for one in each period; `backlog` for what a buffered block has kept from before.
        Raises MmsError if there is none, or none free.
        """
        return Subscription(
            self._session, self._directory, rcb, interrogate=interrogate, integrity_ms=integrity_ms, backlog=backlog
        )

    def close(self) -> None:
        """End the association in order."""
        self._session.close()


def _with_fc(reference: str, variable: Variable) -> str:
    return reference if "[" in reference or variable.fc is None else f"{reference} [{variable.fc.value}]"


def _merged(values: list[Value]) -> Value:
    """One dict of what is under several FCs; the first has the say where they share a name that is no structure."""
    whole = values[0]
    for value in values[1:]:
        whole = _joined(whole, value)
    return whole


def _joined(first: Value, second: Value) -> Value:
    if not isinstance(first, dict) or not isinstance(second, dict):
        return first
    both = {name: _joined(first[name], second[name]) for name in first if name in second}
    return first | second | both
