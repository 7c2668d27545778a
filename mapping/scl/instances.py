"""DOI, SDI and DAI: the file's values for one LN's attributes, keyed by their dotted path."""

from mapping.model import AttributeType, LogicalNodeType, Override
from mapping.references import nearest
from mapping.scl.document import Document, Element, flag, line_of
from mapping.scl.resolving import Step, walk
from mapping.scl.templates import read_values


def read_overrides(document: Document, ln: Element, ln_type: LogicalNodeType) -> dict[str, Override]:
    """The overrides of `ln` by path; what names nothing in the type is said and left out."""
    found: dict[str, Override] = {}
    for doi in document.kids(ln, "DOI"):
        _read(document, doi, ln_type, (_step(doi),), found)
    return found


def _step(element: Element) -> Step:
    index = element.get("ix", "")
    return Step(element.get("name", ""), int(index) if index.isdecimal() else None)


def _read(
    document: Document, element: Element, ln_type: LogicalNodeType, steps: tuple[Step, ...], found: dict[str, Override]
) -> None:
    members = walk(ln_type, steps)
    if members is None:
        parent = walk(ln_type, steps[:-1])
        known = [one.name for one in (parent[-1].members if parent else ln_type.objects)]
        near = nearest(steps[-1].name, known, 1)
        hint = f"did you mean `{near[0]}`?" if near else None
        message = f"`{'.'.join(map(str, steps))}` is not in LNodeType `{ln_type.id}`; left out"
        document.warn("scl-unknown-instance", element, message, steps[-1].name, hint)
        return
    attribute = members[-1]
    if document.tag(element) == "DAI" and isinstance(attribute, AttributeType):
        found[".".join(map(str, steps))] = _override(document, element, attribute)
    for kid in document.kids(element, "SDI", "DAI"):
        _read(document, kid, ln_type, (*steps, _step(kid)), found)


def _override(document: Document, element: Element, attribute: AttributeType) -> Override:
    val_import = element.get("valImport")
    return Override(
        values=read_values(document, element, attribute),
        val_kind=element.get("valKind"),
        val_import=None if val_import is None else flag(element, "valImport"),
        line=line_of(element),
    )
