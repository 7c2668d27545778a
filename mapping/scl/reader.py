"""Reader of SCL files, Edition 1 to 2.1 and the dialects of tools: the IEDs and servers of a file."""

from dataclasses import dataclass
from pathlib import Path

from mapping.diagnostics import Diagnostics
from mapping.model import Edition
from mapping.scl.document import Document, Element, parse


@dataclass(frozen=True, slots=True)
class SclFile:
    """A file that was read: its IEDs, and (IED, access point) for each server, both in the file's order."""

    document: Document
    edition: Edition
    ieds: tuple[str, ...]
    servers: tuple[tuple[str, str], ...]


def read(path: Path, found: Diagnostics) -> SclFile:
    """The SCL file at `path`. Raises MappingError if it cannot be read as SCL at all."""
    document = parse(path, found)
    ieds = list(document.kids(document.root, "IED"))
    servers = [
        (ied.get("name", ""), access_point.get("name", ""))
        for ied in ieds
        for access_point in document.kids(ied, "AccessPoint")
        if server_element(document, ied, access_point) is not None
    ]
    return SclFile(document, edition_of(document.root), tuple(ied.get("name", "") for ied in ieds), tuple(servers))


def edition_of(root: Element) -> Edition:
    """The edition that the root's version, revision and release mean; no version means the first."""
    version, revision, release = root.get("version", ""), root.get("revision", ""), root.get("release", "")
    if not version.strip().isdecimal() or int(version) < 2007:
        return Edition.ED1
    if int(version) > 2007 or revision > "B":
        return Edition.ED21
    return Edition.ED21 if revision == "B" and release.isdecimal() and int(release) >= 4 else Edition.ED2


def server_element(document: Document, ied: Element, access_point: Element) -> Element | None:
    """The Server of an access point, which may be that of another one (ServerAt); None if it has none."""
    server = document.kid(access_point, "Server")
    if server is not None:
        return server
    elsewhere = document.kid(access_point, "ServerAt")
    if elsewhere is None:
        return None
    named = (one for one in document.kids(ied, "AccessPoint") if one.get("name") == elsewhere.get("apName"))
    return next((server for one in named if (server := document.kid(one, "Server")) is not None), None)
