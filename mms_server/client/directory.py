"""Directory of a server: resolves references to variables and their types, by its name lists; each is asked for once.

DEMOLD0/MMXU1.TotW [MX]  ─┐
LD0/MMXU1.TotW            ┴►  domain DEMOLD0, item MMXU1$MX$TotW        (and, without an FC, others that have that path)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from mapping.model import FC
from mapping.references import ObjectReference, nearest
from mms_server.client import services
from mms_server.client.errors import MmsError, understood
from mms_server.client.session import Session
from mms_server.client.types import Type

PROCESS: Final = (FC.ST, FC.MX)  # what a reference without FC means first
NEVER_IMPLIED: Final = (FC.CO, FC.SE)  # reading SBO selects; SE may be read by the client that edits alone


@dataclass(frozen=True, slots=True)
class Variable:
    """One MMS variable that a reference means; `tail` is the part to take of its value: elements of arrays, their members."""

    domain: str
    item: str
    fc: FC | None
    tail: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"{self.domain}/{self.item}"


class Directory:
    """The names and types of one server."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._domains: list[str] = []
        self._items: dict[str, dict[str, None]] = {}
        self._types: dict[tuple[str, str], Type] = {}

    def domains(self) -> list[str]:
        """The full name of every LD."""
        if not self._domains:
            self._domains = list(self._names(services.DOMAIN, None))
        return self._domains

    def items(self, domain: str) -> dict[str, None]:
        """Every variable of `domain`, in the server's order."""
        if domain not in self._items:
            self._items[domain] = dict.fromkeys(self._names(services.NAMED_VARIABLE, domain))
        return self._items[domain]

    def _names(self, object_class: int, domain: str | None) -> Iterator[str]:
        subject, after, more = domain or "the logical devices", "", True
        while more:
            body = self._session.ask(subject, services.GET_NAME_LIST, services.names_of(object_class, domain, after))
            with understood(subject):
                names, more = services.page(body)
            if more and (not names or names[-1] == after):
                raise MmsError(subject, "more names follow, it says, and none comes")
            yield from names
            after = names[-1] if names else after

    def domain(self, ld: str) -> str:
        """The full name of the LD `ld`, which may be its inst. Raises MmsError if there is none, or more than one."""
        known = self.domains()
        if ld in known:
            return ld
        found = [one for one in known if one.endswith(ld)]
        if len(found) > 1:  # behind the IED's name, which begins them all, stands the inst
            found = [one for one in found if all(other.startswith(one.removesuffix(ld)) for other in known)]
        if len(found) != 1:
            raise MmsError(ld, f"no logical device of that name; there are {', '.join(known)}")
        return found[0]

    def variables(self, text: str) -> list[Variable]:
        """The variables that the reference `text` means: one, or without FC those that share the object's path.

        Raises MmsError if there is none, ValueError if it is no reference.
        """
        reference = ObjectReference.parse(text)
        domain = self.domain(reference.ld)
        items = self.items(domain)
        path, tail = _split(reference.path)
        plain = replace(reference, path=path)
        constraints = [plain.fc] if plain.fc is not None or not path else list(FC)
        found = [Variable(domain, plain.item(fc), fc, tail) for fc in constraints]
        found = [one for one in found if one.item in items]
        if not found:
            raise MmsError(text, _unknown(reference, items))
        return found if len(constraints) == 1 else _implied(found)

    def type_of(self, variable: Variable) -> Type:
        """The type of `variable`. Raises MmsError."""
        known = self._types.get((variable.domain, variable.item))
        if known is None:
            body = self._session.ask(
                str(variable), services.VARIABLE_TYPE, services.variable_type(variable.domain, variable.item)
            )
            with understood(str(variable)):
                known = services.type_of(body)
            self._types[variable.domain, variable.item] = known
        return known


def _split(path: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str | int, ...]]:
    """The path up to the first array, and the part to take of it: `HA.phsAHar(7).cVal` is HA.phsAHar and 7, cVal."""
    for place, step in enumerate(path):
        name, bracket, _ = step.partition("(")
        if bracket:
            tail: list[str | int] = []
            for one in path[place:]:
                part, within, number = one.partition("(")
                tail += [part, int(number.removesuffix(")"))] if within else [part]
            return (*path[:place], name), tuple(tail[1:])
    return path, ()


def _implied(found: list[Variable]) -> list[Variable]:
    """Those of `found` that a reference without FC means: the process data, else all that can be read without effect."""
    process = [one for one in found if one.fc in PROCESS]
    return process or [one for one in found if one.fc not in NEVER_IMPLIED] or found[:1]


def _unknown(reference: ObjectReference, items: Iterable[str]) -> str:
    """The message for an unknown reference: the first name that is not there, and those that look like it."""
    known = {_dotted(item) for item in items}
    above = ""
    for step in (reference.ln, *(one.partition("(")[0] for one in reference.path)):
        here = f"{above}.{step}" if above else step
        if here not in known:
            beside = {one.rpartition(".")[2] for one in known if one.rpartition(".")[0] == above}
            near = ", ".join(f"{reference.ld}/{above}{'.' if above else ''}{one}" for one in nearest(step, beside))
            return f"no such name{f'; near it: {near}' if near else ''}"
        above = here
    return "not under that functional constraint"


def _dotted(item: str) -> str:
    ln, _, rest = item.partition("$")
    return ".".join((ln, *rest.split("$")[1:]))
