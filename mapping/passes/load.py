"""Pass 1: read site.yaml, the lines of an overlay, device profiles, map.yaml and SCL files."""

import re
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from mapping import model
from mapping.diagnostics import MappingError, Span, did_you_mean
from mapping.located_yaml.located import Located, load
from mapping.located_yaml.ranges import expand_map, expand_site
from mapping.located_yaml.validated import nearest, validated
from mapping.passes.devices import Profiles, load_device
from mapping.passes.draft import Draft, DraftIed
from mapping.protocols import Protocol
from mapping.schema.fields import NAME_PATTERN, RelativePath
from mapping.schema.map import Map
from mapping.schema.site import Ied, Site
from mapping.scl.access_points import server
from mapping.scl.reader import SclFile, read

_CHOICE: Final = {"scl-unknown-ied", "scl-unknown-access-point"}


def load_files(draft: Draft) -> None:
    """Fill the draft with what the files say; whatever is wrong with one file is said, and the others are read."""
    located = load(draft.site_path, draft.found)
    if located is None:
        return
    draft.site_file = located
    expand_site(located, draft.found)
    draft.site = validated(located, Site, draft.found, wrong=draft.wrong)
    if draft.site is None:
        return
    _lines(draft, draft.site, located)
    profiles = Profiles(draft)
    for name, device in draft.site.devices.items():
        load_device(draft, profiles, name, device, located)
    models = _Models(draft, located)
    for name in draft.site.ieds:
        _ied(draft, draft.site, name, models)


# ---------------------------------------------------------------------- lines


def _lines(draft: Draft, site: Site, located: Located) -> None:
    overlay = _overlay(draft)
    for name, given in site.lines.items():
        keys = given | overlay.get(name, {})
        protocol = keys.pop("protocol", None)
        known = draft.protocols.get(protocol) if isinstance(protocol, str) else None
        if known is None:
            _no_protocol(draft, located, name, protocol)
            continue
        settings = validated(located, known.settings, draft.found, data=keys, path=("lines", name))
        if settings is not None:
            files = _files(draft, located, name, settings)
            draft.lines[name] = {"protocol": str(protocol), **settings.model_dump(exclude_none=True), **files}
            _check_worker(draft, located, name)
            _check_port(draft, located, name)
            _check_channel(draft, located, name, known)


def _files(draft: Draft, located: Located, line: str, settings: BaseModel) -> dict[str, str]:
    """The settings of a line that are files, absolute; one that is not there is said."""
    found: dict[str, str] = {}
    for key, field in type(settings).model_fields.items():
        if any(isinstance(mark, RelativePath) for mark in field.metadata):
            path = (draft.site_path.parent / getattr(settings, key)).resolve()
            found[key] = str(path)
            if not path.is_file():
                draft.found.error("no-file", located.at("lines", line, key), f"no file `{path}`")
    return found


def _no_protocol(draft: Draft, located: Located, line: str, protocol: object) -> None:
    if protocol is None:
        draft.found.error("missing-key", located.key_at("lines", line), "`protocol` is missing")
        return
    known = sorted(draft.protocols)
    hint = did_you_mean(nearest(str(protocol), known)) or f"there are {', '.join(known)}"
    span = located.at("lines", line, "protocol")
    draft.found.error("unknown-protocol", span, f"no driver for protocol `{protocol}`", hint=hint)


def _check_worker(draft: Draft, located: Located, line: str) -> None:
    """A worker's name becomes a socket's: letters, digits, `_` and `-`."""
    worker = str(draft.lines[line].get("worker", line))
    if not re.fullmatch(NAME_PATTERN, worker):
        draft.found.error("bad-name", located.at("lines", line, "worker"), f"`{worker}` is no name of a worker")


def _check_port(draft: Draft, located: Located, line: str) -> None:
    """A serial port has one line: two would talk into each other."""
    port = draft.lines[line].get("port") if draft.is_serial(line) else None
    other = next((name for name, keys in draft.lines.items() if name != line and keys.get("port") == port), None)
    if port is not None and other is not None:
        draft.found.error("port-taken", located.at("lines", line, "port"), f"`{port}` is the port of line `{other}`")


def _check_channel(draft: Draft, located: Located, line: str, protocol: Protocol) -> None:
    """`behind` is of transaction ids on a connection, `path` of a way that leads out of the worker."""
    called = f"line `{line}` is {protocol.name}"
    wrong = {}
    if protocol.transport == "memory":
        inside = f"but {called}: its devices are in its worker"
        wrong = {"behind": f"`behind` is of a connection, {inside}", "path": f"`path` is the way to devices, {inside}"}
    elif not protocol.tagged:
        wrong = {"behind": f"`behind` needs answers with a transaction id, but {called}"}
    for key in (one for one in wrong if one in draft.lines[line]):
        place = located.key_at("lines", line, key)
        draft.found.error("bad-value", place, wrong[key], hint=f"take `{key}` away: nothing on this line depends on it")


def _overlay(draft: Draft) -> dict[str, dict[str, Any]]:
    """The lines of `--lines FILE`, laid over the site's: where simulated devices answer."""
    if draft.lines_path is None:
        return {}
    located = load(draft.lines_path, draft.found)
    lines = located.data.get("lines") if located and isinstance(located.data, dict) else None
    if located is not None and not (isinstance(lines, dict) and all(isinstance(one, dict) for one in lines.values())):
        draft.found.error("bad-value", Span(str(draft.lines_path)), "no `lines:` with a mapping for each line")
        return {}
    return dict(lines or {})


# ---------------------------------------------------------------------- IEDs


def _ied(draft: Draft, site: Site, name: str, models: "_Models") -> None:
    settings = site.ieds[name]
    folder = draft.site_path.parent
    _check_files(draft, name, settings, models.located)
    map_file = _map_file(draft, name, folder / settings.map, models.located)
    described = models.server(name, folder / settings.scl, settings.access_point)
    mapped = None if map_file is None else validated(map_file, Map, draft.found)
    if described is not None and map_file is not None and mapped is not None:
        draft.ieds.append(DraftIed(name, settings, folder / settings.scl, map_file, mapped, described))


def _check_files(draft: Draft, ied: str, settings: Ied, located: Located) -> None:
    """The folder that clients may fetch from has to be there: a mistyped one would be empty for ever."""
    if settings.files is None:
        return
    folder = draft.site_path.parent / settings.files.folder
    if not folder.is_dir():
        keys = ("ieds", ied, "files")
        place = located.values.get((*keys, "folder")) or located.at(*keys)
        draft.found.error("no-folder", place, f"no folder `{folder}`", hint=f"mkdir {settings.files.folder}")


def _map_file(draft: Draft, ied: str, path: Path, located: Located) -> Located | None:
    if not path.is_file():
        draft.found.error("no-file", located.at("ieds", ied, "map"), f"no map file `{path}`")
        return None
    rows = load(path, draft.found)
    if rows is not None:
        expand_map(rows, draft.found)
    return rows


class _Models:
    """SCL files, each read once however many of its IEDs the site has."""

    def __init__(self, draft: Draft, located: Located) -> None:
        self._found = draft.found
        self.located = located
        self._files: dict[Path, SclFile | None] = {}

    def server(self, ied: str, path: Path, access_point: str | None) -> model.Server | None:
        """The model of `ied` in the file at `path`; None, and said, if it cannot be had."""
        scl = self._file(ied, path)
        if scl is None:
            return None
        before = len(self._found.found)
        try:
            return server(scl, ied, access_point, self._found)
        except MappingError:
            self._move_to_site(before, ied, path)
            return None

    def _file(self, ied: str, path: Path) -> SclFile | None:
        if path not in self._files:
            self._files[path] = None
            if not path.is_file():
                self._found.error("no-file", self.located.at("ieds", ied, "scl"), f"no SCL file `{path}`")
                return None
            try:
                self._files[path] = read(path, self._found)
            except MappingError:
                return None  # the reader has said why
        return self._files[path]

    def _move_to_site(self, before: int, ied: str, path: Path) -> None:
        """Move the diagnostic about a name that the SCL file lacks to site.yaml, which asks for it."""
        for number, finding in enumerate(self._found.found[before:], before):
            if finding.code in _CHOICE:
                keys = ("ieds", ied, "access_point")
                place = (
                    self.located.key_at(*keys[:2])
                    if finding.code == "scl-unknown-ied"
                    else (self.located.values.get(keys) or self.located.key_at(*keys[:2]))
                )
                message = f"{finding.message} in {path.name}"
                self._found.found.pop(number)
                self._found.error(finding.code, place, message, notes=finding.notes, hint=finding.hint)
                return
