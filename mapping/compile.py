"""Compilation of a site's files to one immutable Plan, or to diagnostics of all their faults.

load -> forms, resolve -> bind (types, units) -> cover, enumerations, replies -> poll

Each pass adds diagnostics, none stops the others.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mapping import model
from mapping.block_planning.turnaround import Measured
from mapping.diagnostics import Diagnostics, Span
from mapping.passes.bind import bind_targets
from mapping.passes.coverage import cover_model
from mapping.passes.dependent_points import resolve_forms, use_inputs
from mapping.passes.draft import Draft, DraftIed
from mapping.passes.enumerations import check_enumerations
from mapping.passes.load import load_files
from mapping.passes.poll import commanded, plan_polls
from mapping.passes.replies import check_replies
from mapping.passes.resolve import resolve_rows
from mapping.plan import FilesPlan, IedPlan, Plan, SecurityPlan, TlsPlan, WorkerPlan, sealed
from mapping.protocols import Protocols
from mapping.schema.site import Files, Security

PASSES: Final[tuple[Callable[[Draft], None], ...]] = (
    load_files,
    resolve_forms,
    resolve_rows,
    bind_targets,
    cover_model,
    check_enumerations,
    use_inputs,
    check_replies,
)


@dataclass(frozen=True, slots=True)
class Mapped:
    """One IED as it was read: its model, and where the row stands that feeds each data object or single attribute."""

    ied: str
    scl: Path
    server: model.Server
    rows: Mapping[str, tuple[str, Span]]  # ACSI reference, LD by inst -> the row's key and its place


@dataclass(frozen=True, slots=True)
class Compiled:
    """Compilation result of a site: its plan if nothing is in error, and all diagnostics.

    `workers`, `passed_over` (proposals of profiles that an LN lacks), `commanded` (the lines that carry commands) and
    `mapped` are there for reports even without a plan, as are the `protocols` that it was compiled with.
    """

    plan: Plan | None
    diagnostics: Diagnostics
    workers: tuple[WorkerPlan, ...]
    protocols: Protocols
    passed_over: tuple[str, ...]
    commanded: frozenset[str] = frozenset()
    mapped: tuple[Mapped, ...] = ()


def site_file(path: Path) -> Path:
    """The site.yaml that `path` means: itself, or the one in that folder."""
    return path / "site.yaml" if path.is_dir() else path


def compile_site(
    site: Path,
    protocols: Protocols,
    *,
    lines: Path | None = None,
    measured: Measured | None = None,
) -> Compiled:
    """Compile the site at `site` (a site.yaml or its folder); `lines` is a file that is laid over its lines.

    `protocols` has every protocol that a line of it may have. `measured`: how long its devices were seen to think.
    """
    draft = Draft(site_file(site), protocols, lines, measured=measured or {})
    for one in PASSES:
        one(draft)
    workers = plan_polls(draft)
    passed_over = tuple(text for ied in draft.ieds for text in ied.passed_over)
    plan = None if draft.found.errors or draft.site is None else _plan(draft, workers)
    orders = frozenset(one for one in draft.lines if commanded(draft, one))
    mapped = tuple(Mapped(ied.name, ied.scl_path, ied.server, _rows(ied)) for ied in draft.ieds)
    return Compiled(plan, draft.found, workers, protocols, passed_over, orders, mapped)


def _rows(ied: DraftIed) -> dict[str, tuple[str, Span]]:
    rows = {}
    for target in ied.targets:
        path = target.object.path if target.leaf is None else target.leaf.path
        reference = f"{target.object.ld.inst}/{'.'.join((target.object.ln.name, *path))}"
        rows[reference] = (target.key, ied.map_file.key_at("points", target.key))
    return rows


def _plan(draft: Draft, workers: tuple[WorkerPlan, ...]) -> Plan:
    assert draft.site is not None  # noqa: S101 - asked by the caller
    ieds = tuple(_ied(draft, ied) for ied in draft.ieds)
    site = draft.site
    return sealed(Plan(site.site, str(draft.site_path.resolve()), workers, ieds, site.clock.assumed_error_ns))


def _ied(draft: Draft, ied: DraftIed) -> IedPlan:
    return IedPlan(
        name=ied.name,
        scl=str(ied.scl_path.resolve()),
        scl_sha256=hashlib.sha256(ied.scl_path.read_bytes()).hexdigest(),
        access_point=ied.server.access_point,
        listen=ied.settings.listen,
        max_clients=ied.settings.max_clients,
        writes={fc: verdict == "allow" for fc, verdict in ied.settings.writes.items()},
        security=_security(draft.site_path.parent, ied.settings.security),
        objects=tuple(ied.objects),
        presets=tuple(ied.presets),
        unfed=tuple(ied.unfed),
        commands=tuple(ied.commands),
        settings=tuple(ied.settings_bound),
        report_buffer_octets=ied.settings.report_buffer.octets,
        report_buffer_age_ms=ied.settings.report_buffer.age,
        files=_files(draft.site_path.parent, ied.settings.files),
    )


def _files(folder: Path, given: Files | None) -> FilesPlan | None:
    if given is None:
        return None
    allowed = (given.delete == "allow", given.rename == "allow", given.obtain == "allow")
    return FilesPlan(str((folder / given.folder).resolve()), *allowed)


def _security(folder: Path, given: Security) -> SecurityPlan:
    def absolute(name: str) -> str:
        return str((folder / name).resolve())

    tls = given.tls
    return SecurityPlan(
        password_file=None if given.password_file is None else absolute(given.password_file),
        password_env=given.password_env,
        tls=None
        if tls is None
        else TlsPlan(
            absolute(tls.cert),
            absolute(tls.key),
            absolute(tls.ca),
            tls.listen,
            None if tls.crl is None else absolute(tls.crl),
            tuple(tls.peers),
        ),
        allow=tuple(given.allow),
    )
