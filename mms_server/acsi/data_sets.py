"""Data sets that clients make: persistent ones in a domain, others of one association (IEC 61850-7-2, data set model).

    domain-specific       `LN$name`    everybody's, stored: it outlives the association and a restart
    association-specific  `@name`      visible to its client only, gone with it

Services (DynDataSet) limits the number of data sets and of their members.
"""

from collections.abc import Callable, Sequence
from typing import Final

from mapping.model import Services
from mms_server.acsi.behaviour import Behaviour
from mms_server.acsi.clients import Client
from mms_server.acsi.persistence import Persistence, Put, StoredState, octets_of, parts_of
from mms_server.mms.access import AccessSelection, Component, Range, Variable
from mms_server.mms.errors import ServiceError
from mms_server.mms.names import ASSOCIATION_SPECIFIC, DOMAIN_SPECIFIC, ObjectName
from mms_server.model.datasets import DataSet, PlacedMember
from mms_server.model.tree import UNKNOWN, DataModel

KIND: Final = "data set"
NAME_OCTETS: Final = 32  # of `name`, behind the LN's
SETS_LIMIT: Final = 256  # where Services name no limit; of each association and of the whole server
MEMBERS_LIMIT: Final = 1024
_OWN: Final = b"@"


class CreatedDataSets(Behaviour):
    """The data sets of one server that clients may make and delete."""

    def __init__(self, model: DataModel, persistence: Persistence, stored: StoredState | None) -> None:
        self._model = model
        self._persistence = persistence
        self._services: Services = model.server.services
        self._persistent = 0
        self.problems: list[str] = []  # what the store had and the model has no more
        for key, octets in (stored.values.get(KIND, {}) if stored else {}).items():
            self._restore(key, octets)

    # ------------------------------------------------------------------ finding

    def find(self, client: Client | None, name: ObjectName) -> DataSet | None:
        """The data set that `client` means by `name`."""
        if name.scope == ASSOCIATION_SPECIFIC:
            return None if client is None else client.data_sets.get(name.item)
        return self._model.data_set(name)

    def by_text(self, client: Client | None, text: str) -> DataSet | None:
        """The data set that a control block's DatSet names: `LD/LN$name`, `@name`; None for an empty one too."""
        octets = text.encode("ascii", "replace")
        if octets.startswith(_OWN):
            return None if client is None else client.data_sets.get(octets[1:])
        domain, _, item = octets.partition(b"/")
        return self._model.data_set(ObjectName(DOMAIN_SPECIFIC, domain, item))

    # ------------------------------------------------------------------ making

    def define(self, client: Client, name: ObjectName, variables: Sequence[Variable]) -> ServiceError | None:
        """Create a data set; the error, or None. All its members must exist."""
        if not self._services.dyn_data_set:
            return ServiceError.ACCESS_UNSUPPORTED
        wrong = self._misplaced(name)
        if wrong is not None:
            return wrong
        if self.find(client, name) is not None:
            return ServiceError.OBJECT_EXISTS
        if len(variables) > (self._services.dyn_data_set_max_attributes or MEMBERS_LIMIT):
            return ServiceError.DEFINITION_OTHER
        there = len(client.data_sets) if name.scope == ASSOCIATION_SPECIFIC else self._persistent
        if there >= (self._services.dyn_data_set_max or SETS_LIMIT):
            return ServiceError.CAPABILITY_UNAVAILABLE
        members = [member for one in variables if (member := self._member(one)) is not None]
        if len(members) != len(variables):
            return ServiceError.OBJECT_UNDEFINED
        made = DataSet(name.item, tuple(members), deletable=True)
        if name.scope == ASSOCIATION_SPECIFIC:
            client.data_sets[name.item] = made
        else:
            assert name.domain is not None  # noqa: S101 - `_misplaced` looked
            self._model.domains[name.domain].data_sets[name.item] = made
            self._persistent += 1
            self._persistence.add(Put(KIND, _key(name), _content(made)))
        return None

    def _misplaced(self, name: ObjectName) -> ServiceError | None:
        if name.scope == ASSOCIATION_SPECIFIC:
            return None if _sound(name.item) else ServiceError.DEFINITION_OTHER
        if name.domain is None:
            return ServiceError.ACCESS_UNSUPPORTED  # vmd-specific: there are none here
        domain = self._model.domains.get(name.domain)
        ln, dollar, own = name.item.partition(b"$")
        if domain is None or ln not in domain.nodes:
            return ServiceError.ACCESS_NON_EXISTENT
        return None if dollar and _sound(own) else ServiceError.DEFINITION_OTHER

    def _member(self, variable: Variable) -> PlacedMember | None:
        """The member that `variable` names: a data object or attribute with a functional constraint, or part of an array."""
        name = variable.name
        if name is None or name.domain is None or name.item.count(b"$") < 2:
            return None
        slot = self._model.slot(name.domain, name.item)
        if slot == UNKNOWN or len(variable.selections) > 1:
            return None
        if not variable.selections:
            return PlacedMember(slot, name.domain, name.item)
        place = _element(variable.selections[0])
        return None if place is None else self._inside(slot, name, place)

    def _inside(self, slot: int, name: ObjectName, place: tuple[int, bytes]) -> PlacedMember | None:
        node = self._model.node(slot)
        index, component = place
        if name.domain is None or not node.array or index >= len(node.offsets):
            return None
        slot += node.offsets[index]
        below = self._model.node(slot).below(component)
        return None if below is None else PlacedMember(slot + below, name.domain, name.item, place)

    def _restore(self, key: str, octets: bytes) -> None:
        domain, _, item = key.encode("ascii", "replace").partition(b"/")
        held = self._model.domains.get(domain)
        members = _restored(self, octets)
        if held is None or not members or item in held.data_sets:
            self.problems.append(f"data set {key} is left out: the model does not have what it was made of")
            return
        held.data_sets[item] = DataSet(item, members, deletable=True)
        self._persistent += 1

    def member_at(self, domain: bytes, item: bytes, place: tuple[int, bytes] | None) -> PlacedMember | None:
        """The member of that name; None if the model has it no more."""
        name = ObjectName(DOMAIN_SPECIFIC, domain, item)
        if place is None:
            return self._member(Variable(name, b""))
        slot = self._model.slot(domain, item)
        return None if slot == UNKNOWN else self._inside(slot, name, place)

    # ------------------------------------------------------------------ deleting

    def delete(self, client: Client, name: ObjectName, in_use: Callable[[DataSet], bool]) -> ServiceError | None:
        """Delete a data set; the error (there is none, it is the file's, a control block has it), or None."""
        found = self.find(client, name)
        if found is None:
            return ServiceError.ACCESS_NON_EXISTENT
        if not found.deletable:
            return ServiceError.ACCESS_DENIED
        if in_use(found):
            return ServiceError.OBJECT_CONSTRAINT_CONFLICT
        self._remove(client, name)
        return None

    def _remove(self, client: Client, name: ObjectName) -> None:
        if name.scope == ASSOCIATION_SPECIFIC:
            del client.data_sets[name.item]
        elif name.domain is not None:
            del self._model.domains[name.domain].data_sets[name.item]
            self._persistent -= 1
            self._persistence.add(Put(KIND, _key(name), None))
            self._model.plans.forget()

    def made_in(self, domain: bytes) -> list[ObjectName]:
        """The names of the data sets of a domain that clients have made."""
        held = self._model.domains.get(domain)
        sets = held.data_sets.values() if held else ()
        return [ObjectName(DOMAIN_SPECIFIC, domain, one.name) for one in sets if one.deletable]


def _sound(name: bytes) -> bool:
    """True if `name` may be a data set's: an identifier of at most NAME_OCTETS, without `$` and other separators."""
    known = name.replace(b"_", b"").isalnum() and name.isascii()
    return known and 0 < len(name) <= NAME_OCTETS


def _element(selection: AccessSelection) -> tuple[int, bytes] | None:
    """The index and the component that a selection of one element means."""
    choice = selection.choice
    if not isinstance(choice, Range) or not choice.single:
        return None
    path: list[bytes] = []
    inner = selection.inner
    while inner:
        if len(inner) != 1 or not isinstance(inner[0].choice, Component):
            return None
        path.append(inner[0].choice.name)
        inner = inner[0].inner
    return choice.low, b"$".join(path)


def _key(name: ObjectName) -> str:
    assert name.domain is not None  # noqa: S101 - only domain-specific ones are kept
    return f"{name.domain.decode()}/{name.item.decode()}"


def _content(data_set: DataSet) -> bytes:
    """The data set as stored: for each member its name, and for a part of an array the index and the component."""
    rows = []
    for member in data_set.members:
        index, component = member.selection or (-1, b"")
        rows.append(octets_of(iter((member.domain, member.item, str(index).encode(), component))))
    return octets_of(iter(rows))


def _restored(sets: CreatedDataSets, octets: bytes) -> tuple[PlacedMember, ...]:
    """The members as the model has them now; none if one is gone, or the octets are no data set."""
    members = []
    try:
        for row in parts_of(octets):
            domain, item, index, component = parts_of(row)
            place = None if index == b"-1" else (int(index), component)
            member = sets.member_at(domain, item, place)
            if member is None:
                return ()
            members.append(member)
    except ValueError:
        return ()  # a damaged row: a data set with half of its members would be another one
    return tuple(members)
