"""The members of a data set with their names and types, which a report does not carry."""

from collections import Counter
from dataclasses import dataclass, replace

from mapping.references import ObjectReference
from mms_server.client import services
from mms_server.client.directory import Directory, Variable
from mms_server.client.errors import MmsError
from mms_server.client.session import Session
from mms_server.client.types import Array, Structure, Type
from mms_server.mms import access
from mms_server.mms.access import AccessSelection
from mms_server.stack.errors import WireError


@dataclass(frozen=True, slots=True)
class TypedMember:
    """A member: its reference, with FC only where another member differs in nothing else, and its type."""

    reference: str
    kind: Type


def members(session: Session, directory: Directory, data_set: str, stripped: str) -> list[TypedMember]:
    """The members of `LD/LN$name`, in order; `stripped` is the IED's name, left out of their references.

    Raises MmsError if there is no such data set.
    """
    domain, slash, item = data_set.partition("/")
    if not slash:
        raise MmsError(data_set, "no data set of a logical node")
    body = session.ask(data_set, services.DATA_SET, services.data_set(domain, item))
    try:
        found = [_member(directory, one, stripped) for one in services.members(body)]
    except (WireError, LookupError) as error:
        raise MmsError(data_set, f"a member that cannot be: {error}") from error
    bare = [str(replace(reference, fc=None)) for reference, _ in found]
    same = Counter(bare)
    return [
        TypedMember(str(reference) if same[text] > 1 else text, kind)
        for text, (reference, kind) in zip(bare, found, strict=True)
    ]


def _member(directory: Directory, one: access.Variable, stripped: str) -> tuple[ObjectReference, Type]:
    if one.name is None or one.name.domain is None:
        raise WireError("mms", 0, "it has no domain")
    domain, item = one.name.domain.decode("latin-1"), one.name.item.decode("latin-1")
    kind = directory.type_of(Variable(domain, item, None))
    try:
        reference = ObjectReference.from_item(domain.removeprefix(stripped), item)
    except ValueError as error:
        raise WireError("mms", 0, f"{item} has no functional constraint") from error
    path, kind = _selected(reference.path, kind, one.selections)
    return replace(reference, path=path), kind


def _selected(
    path: tuple[str, ...], kind: Type, selections: tuple[AccessSelection, ...]
) -> tuple[tuple[str, ...], Type]:
    """The path and type of the part that one chain of selections takes of a variable."""
    if not selections:
        return path, kind
    match selections[0].choice, kind:
        case access.Component(name), Structure(named):
            step = name.decode("latin-1")
            return _selected((*path, step), named[step], selections[0].inner)
        case access.Range(low, _, True), Array(_, element):
            return _selected((*path[:-1], f"{path[-1]}({low})"), element, selections[0].inner)
        case choice, _:
            raise WireError("mms", 0, f"a selection {choice!r} that is no element")
