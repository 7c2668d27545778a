"""DataTypeTemplates: LNodeType, DOType, DAType and EnumType become the shared types of the model.

A type is built once, when something names it. A part that is missing, cyclic or unknown is left out where it stands and
becomes one diagnostic with its line: the rest of the type serves.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from mapping.model import FC, AttributeType, BasicType, DataObjectType, EnumType, LogicalNodeType, Scalar
from mapping.scl.document import Document, Element, flag, line_of
from mapping.scl.values import value_of

DEPTH_LIMIT: Final = 12
ARRAY_LIMIT: Final = 1024
_VAL_KINDS: Final = frozenset({"Set", "Conf", "RO", "Spec"})


class Templates:
    """The types of one file, by their ids."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._elements: dict[tuple[str, str], Element] = {}
        self._ln_types: dict[str, LogicalNodeType | None] = {}
        self._objects: dict[str, tuple[str, tuple[AttributeType | DataObjectType, ...]] | None] = {}
        self._structs: dict[str, tuple[AttributeType, ...] | None] = {}
        self._enums: dict[str, EnumType | None] = {}
        self._open: list[str] = []  # the types being built, outermost first: a cycle meets itself here
        section = document.kid(document.root, "DataTypeTemplates")
        for element in () if section is None else document.kids(section, "LNodeType", "DOType", "DAType", "EnumType"):
            key = (document.tag(element), element.get("id", ""))
            if key in self._elements:
                document.warn("scl-duplicate", element, f"a second {key[0]} `{key[1]}`, the first is taken", key[1])
            self._elements.setdefault(key, element)

    def ln_type(self, type_id: str, asking: Element) -> LogicalNodeType | None:
        """The LNodeType `type_id`; None, and said, if the file has none."""
        if type_id not in self._ln_types:
            element = self._element("LNodeType", type_id, asking)
            self._ln_types[type_id] = None if element is None else self._ln(type_id, element)
        return self._ln_types[type_id]

    # ------------------------------------------------------------------ objects

    def _ln(self, type_id: str, element: Element) -> LogicalNodeType:
        drawn = [self._object(one) for one in self._unique(self._document.kids(element, "DO"))]
        objects = tuple(one for one in drawn if one is not None)
        return LogicalNodeType(type_id, element.get("lnClass", ""), objects, line_of(element))

    def _object(self, element: Element) -> DataObjectType | None:
        """A DO or SDO."""
        name, type_id = element.get("name", ""), element.get("type", "")
        built = self._do_type(type_id, element)
        count = self._count(element, ())
        if built is None or count is None:
            return None
        cdc, members = built
        transient = flag(element, "transient")
        return DataObjectType(name, type_id, cdc, members, count, transient, line_of(element))

    def _do_type(self, type_id: str, asking: Element) -> tuple[str, tuple[AttributeType | DataObjectType, ...]] | None:
        if type_id in self._open or len(self._open) > DEPTH_LIMIT:
            self._document.warn("scl-cyclic-type", asking, f"type `{type_id}` contains itself; left out here", type_id)
            return None
        if type_id not in self._objects:
            element = self._element("DOType", type_id, asking)
            if element is None:
                self._objects[type_id] = None
                return None
            self._open.append(type_id)
            self._objects[type_id] = (element.get("cdc", ""), tuple(self._members(element)))
            self._open.pop()
        return self._objects[type_id]

    def _members(self, do_type: Element) -> list[AttributeType | DataObjectType]:
        members: list[AttributeType | DataObjectType] = []
        elements = self._unique(self._document.kids(do_type, "SDO", "DA"))
        for element in elements:
            member: AttributeType | DataObjectType | None
            if self._document.tag(element) == "SDO":
                member = self._object(element)
            else:
                fc = self._fc(element)
                member = None if fc is None else self._attribute(element, fc, elements)
            if member is not None:
                members.append(member)
        return members

    def _fc(self, element: Element) -> FC | None:
        text = element.get("fc", "")
        if text in FC.__members__:
            return FC(text)
        message = (
            f"attribute `{element.get('name')}` has the functional constraint `{text}`, which there is not; left out"
        )
        self._document.warn("scl-unknown-fc", element, message, text)
        return None

    # ------------------------------------------------------------------ attributes

    def _attribute(self, element: Element, fc: FC | None, siblings: list[Element]) -> AttributeType | None:
        """A DA or BDA."""
        name, b_type, type_id = element.get("name", ""), element.get("bType", ""), element.get("type", "")
        count = self._count(element, siblings)
        basic = self._basic(element, b_type)
        if basic is None or count is None:
            return None
        members: tuple[AttributeType, ...] = ()
        if basic is BasicType.STRUCT:
            built = self._struct(type_id, element)
            if not built:
                return None
            members = built
        val_kind = element.get("valKind", "Set")
        bare = AttributeType(
            name=name,
            basic=basic,
            fc=fc,
            enum=self._enum(type_id, element) if basic is BasicType.ENUM else None,
            members=members,
            count=count,
            dchg=flag(element, "dchg"),
            qchg=flag(element, "qchg"),
            dupd=flag(element, "dupd"),
            val_kind=val_kind if val_kind in _VAL_KINDS else "Set",
            val_import=flag(element, "valImport"),
            line=line_of(element),
        )
        values = read_values(self._document, element, bare)
        return bare if not values else _with_values(bare, values)

    def _basic(self, element: Element, b_type: str) -> BasicType | None:
        known = _BASIC_TYPES.get(b_type)
        if known is None:
            message = f"attribute `{element.get('name')}` has the basic type `{b_type}`, which is unknown; left out"
            self._document.warn("scl-unknown-btype", element, message, b_type)
        return known

    def _struct(self, type_id: str, asking: Element) -> tuple[AttributeType, ...] | None:
        if type_id in self._open or len(self._open) > DEPTH_LIMIT:
            self._document.warn("scl-cyclic-type", asking, f"type `{type_id}` contains itself; left out here", type_id)
            return None
        if type_id not in self._structs:
            element = self._element("DAType", type_id, asking)
            if element is None:
                self._structs[type_id] = None
                return None
            self._open.append(type_id)
            siblings = self._unique(self._document.kids(element, "BDA"))
            built = [self._attribute(one, None, siblings) for one in siblings]
            self._open.pop()
            self._structs[type_id] = tuple(one for one in built if one is not None)
            if not self._structs[type_id]:
                self._document.warn(
                    "scl-empty-type", element, f"DAType `{type_id}` has no attributes; left out", type_id
                )
        return self._structs[type_id]

    def _enum(self, type_id: str, asking: Element) -> EnumType | None:
        if type_id not in self._enums:
            element = self._element("EnumType", type_id, asking, "; served as a plain INT8")
            self._enums[type_id] = None if element is None else self._enum_type(type_id, element)
        return self._enums[type_id]

    def _enum_type(self, type_id: str, element: Element) -> EnumType:
        ordinals: dict[str, int] = {}
        for value in self._document.kids(element, "EnumVal"):
            try:
                ordinals[value.text or ""] = int(value.get("ord", ""))
            except ValueError:
                message = f"`{value.get('ord')}` in EnumType `{type_id}` is no ordinal; its member is left out"
                self._document.warn("scl-bad-number", value, message, value.get("ord", ""))
        return EnumType(type_id, ordinals)

    # ------------------------------------------------------------------ what both need

    def _element(self, kind: str, type_id: str, asking: Element, then: str = "; left out") -> Element | None:
        element = self._elements.get((kind, type_id))
        if element is None:
            name = asking.get("name") or asking.get("lnClass", "")
            self._document.warn("scl-unknown-type", asking, f"no {kind} `{type_id}` for `{name}`{then}", type_id)
        return element

    def _unique(self, elements: Iterable[Element]) -> list[Element]:
        seen: set[str] = set()
        unique = []
        for element in elements:
            name = element.get("name", "")
            if not name or name in seen:
                what = f"a second `{name}`" if name else "an element without a name"
                self._document.warn("scl-duplicate", element, f"{what}; left out", name)
                continue
            seen.add(name)
            unique.append(element)
        return unique

    def _count(self, element: Element, siblings: Iterable[Element]) -> int | None:
        """The size of an array, 0 if it is none; None, and said, if the size cannot be told."""
        text = element.get("count", "0")
        if text.isdecimal() and int(text) <= ARRAY_LIMIT:
            return int(text)
        sibling = next((one for one in siblings if one.get("name") == text), None)
        value = None if sibling is None else self._document.kid(sibling, "Val")
        if value is not None and (value.text or "").strip().isdecimal() and int(value.text or 0) <= ARRAY_LIMIT:
            return int(value.text or 0)
        name = element.get("name")
        message = (
            f"the size `{text}` of array `{name}` is no number to {ARRAY_LIMIT}, nor an attribute with one; left out"
        )
        self._document.warn("scl-bad-count", element, message, text)
        return None


def read_values(document: Document, element: Element, attribute: AttributeType) -> dict[int, Scalar]:
    """The Val elements below a DA, BDA or DAI, by setting group; a value that means nothing is said and left out."""
    values: dict[int, Scalar] = {}
    for val in document.kids(element, "Val"):
        text, group = val.text or "", val.get("sGroup", "0")
        try:
            value = value_of(attribute, text)
        except ValueError as error:
            where = f"`{attribute.name}` ({attribute.basic.value})"
            document.warn("scl-bad-value", val, f"value of {where}: {error}; the default holds", text.strip())
            continue
        if value is not None:
            values[int(group) if group.isdecimal() else 0] = value
    return values


def _with_values(attribute: AttributeType, values: dict[int, Scalar]) -> AttributeType:
    return replace(attribute, values=values)


_BASIC_TYPES: Final = {basic.value: basic for basic in BasicType}
