"""One SCL file as XML: read with every defence, every element able to say where it stands.

No document type, no entities, no network; limits on size and number of elements come before the parser.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from lxml import etree

from mapping.diagnostics import Diagnostics, Span

SIZE_LIMIT: Final = 96 * 1024 * 1024
ELEMENTS_LIMIT: Final = 900_000
NAMESPACE: Final = "http://www.iec.ch/61850/2003/SCL"
Element = etree._Element


@dataclass(slots=True)
class Document:
    """A parsed file. `kids` sees only elements of SCL's own namespace (or none, as the root has it)."""

    file: str
    root: Element
    found: Diagnostics
    _prefix: str = ""
    _lines: list[str] = field(default_factory=list)

    def kids(self, element: Element, *names: str) -> Iterator[Element]:
        """The children called one of `names`, in order."""
        return element.iterchildren(*(self._prefix + name for name in names))

    def kid(self, element: Element, name: str) -> Element | None:
        """The first child called `name`."""
        return next(self.kids(element, name), None)

    def tag(self, element: Element) -> str:
        """The element's name without its namespace."""
        return str(element.tag).rpartition("}")[2]

    def span(self, element: Element, text: str = "") -> Span:
        """The place of `element`; if `text` is in its line, the place of that."""
        line = line_of(element) or 1
        column = 0
        if text:
            column = self._line(line).find(text) + 1
        return Span(self.file, line, max(column, 1), max(len(text), 1) if column else 1)

    def warn(self, code: str, element: Element, message: str, text: str = "", hint: str | None = None) -> None:
        """Say that a part is left out, and which."""
        self.found.warning(code, self.span(element, text), message, hint=hint)

    def _line(self, number: int) -> str:
        if not self._lines:
            self._lines = Path(self.file).read_text(encoding="utf-8", errors="replace").splitlines()
        return self._lines[number - 1] if number <= len(self._lines) else ""


def parse(path: Path, found: Diagnostics) -> Document:
    """The document in `path`. Raises MappingError (through `found`) if it cannot be read as SCL at all."""
    octets = _octets(path, found)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        _refuse(found, "scl-not-xml", Span(str(path), max(line, 1), max(column, 1)), str(error.msg).rstrip(". "))
    name = etree.QName(root)
    if name.localname != "SCL" or name.namespace not in (NAMESPACE, None):
        _refuse(found, "scl-no-scl", Span(str(path), line_of(root) or 1), f"root element `{root.tag}`, expected `SCL`")
    return Document(str(path), root, found, f"{{{name.namespace}}}" if name.namespace else "")


def _octets(path: Path, found: Diagnostics) -> bytes:
    whole = Span(str(path))
    try:
        size = path.stat().st_size
        if size > SIZE_LIMIT:
            _refuse(found, "scl-too-large", whole, f"{size} octets, expected at most {SIZE_LIMIT}")
        octets = path.read_bytes()
    except OSError as error:
        _refuse(found, "scl-unreadable", whole, f"cannot be read: {(error.strerror or str(error)).lower()}")
    if b"<!DOCTYPE" in octets or "<!DOCTYPE".encode("utf-16-le") in octets or "<!DOCTYPE".encode("utf-16-be") in octets:
        _refuse(found, "scl-doctype", whole, "a document type declaration, which SCL does not have")
    if octets.count(b"<") - octets.count(b"</") > ELEMENTS_LIMIT:
        _refuse(found, "scl-too-large", whole, f"over {ELEMENTS_LIMIT} elements")
    return octets


def _refuse(found: Diagnostics, code: str, span: Span, message: str) -> None:
    found.error(code, span, message)
    found.raise_errors()


def line_of(element: Element) -> int:
    """The line of the file where `element` stands; 0 if lxml does not know."""
    return cast("int | None", element.sourceline) or 0


def flag(element: Element, name: str, otherwise: bool = False) -> bool:
    """A boolean attribute of XML: true, false, 1, 0; `otherwise` if absent."""
    text = element.get(name)
    return otherwise if text is None else text.strip().lower() in ("true", "1")


def number(document: Document, element: Element, name: str, otherwise: int) -> int:
    """A number without sign; one that is none is said and `otherwise` holds."""
    text = element.get(name)
    if text is None:
        return otherwise
    if not text.strip().isdecimal():
        document.warn("scl-bad-number", element, f"{name} `{text}` is no number, {otherwise} is taken", text)
        return otherwise
    return min(int(text), 0xFFFFFFFF)
