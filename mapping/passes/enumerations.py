"""Pass 5, too: enumerations whose default may surprise, since the file gives no Val and their type begins elsewhere than at 0."""

from collections.abc import Iterator, Sequence

from mapping.diagnostics import Diagnostics, Span
from mapping.model import AttributeType, BasicType, DataObjectType, LogicalDevice, LogicalNode
from mapping.passes.draft import Draft, DraftIed
from mapping.passes.value_attributes import OWN_OBJECTS

_DECIDED = frozenset({"SIUnit", "multiplier"})  # by the point's unit, and 0


def check_enumerations(draft: Draft) -> None:
    """Name each enumeration that has a 0 and does not begin with it, once, with the first attribute that takes its default."""
    for ied in draft.ieds:
        fed = {_dotted(preset.target) for preset in ied.presets}
        fed |= {_dotted(one) for binding in ied.objects for source in binding.sources for one in source.targets}
        named: set[str] = set()
        by_type: dict[int, list[tuple[str, AttributeType]]] = {}
        for ld, ln in ied.server.nodes():
            if id(ln.type) not in by_type:
                by_type[id(ln.type)] = list(_doubtful(ln.type.objects, ()))
            for path, attribute in by_type[id(ln.type)]:
                _check(draft.found, ied, (ld, ln), path, attribute, named, fed)


def _dotted(target: str) -> str:
    """`DOMAIN/LN.DO.DA` of `DOMAIN/LN$FC$DO$DA`."""
    ln, _, *path = target.split("$")
    return ".".join((ln, *path))


def _doubtful(
    members: Sequence[AttributeType | DataObjectType], above: tuple[str, ...]
) -> Iterator[tuple[str, AttributeType]]:
    """The enumerations without a Val in their type, each with its dotted path."""
    for member in members:
        path = (*above, member.name)
        if path[0] in OWN_OBJECTS or member.count or member.name in _DECIDED:
            continue
        if isinstance(member, AttributeType) and member.basic is BasicType.ENUM:
            enum = member.enum
            if enum is not None and enum.first() != 0 and 0 in enum.ordinals.values() and not member.values:
                yield ".".join(path), member
        yield from _doubtful(member.members, path)


def _check(
    found: Diagnostics,
    ied: DraftIed,
    place: tuple[LogicalDevice, LogicalNode],
    path: str,
    attribute: AttributeType,
    named: set[str],
    fed: set[str],
) -> None:
    ld, ln = place
    enum = attribute.enum
    override = ln.overrides.get(path)
    given = override is not None and override.values
    if enum is None or enum.id in named or given or f"{ld.name}/{ln.name}.{path}" in fed:
        return
    named.add(enum.id)
    first = enum.first()
    message = (
        f"enumeration `{enum.id}` has a 0 and begins with `{enum.literal(first)}` ({first}): "
        f"so does {ld.inst}/{ln.name}.{path}, which has no Val"
    )
    found.warning("enumeration-default", Span(str(ied.scl_path), attribute.line or 1), message, hint="give it a `Val`")
