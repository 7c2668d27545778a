"""Diff of two plans: the OS processes that keep running, take the new plan as they run, or start anew (pure).

A reload compares plans, not files (D48).

worker       its revision is the same ──► kept            otherwise ──► restarted: its points become stale meanwhile at worst
MMS server   it and every worker are the same ──► kept    only what feeds it differs ──► reloaded: clients notice values
SCL file, port, rights or buffers differ ──► restarted: clients are dropped (D96)
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, TypeVar

import msgspec

from mapping.plan import Computed, DevicePlan, IedPlan, LinePlan, Plan, PointPlan, served

_Named = TypeVar("_Named")


class Changes(NamedTuple):
    """Fate of each OS process of a site, by the names of their rows."""

    kept: frozenset[str]
    reloaded: frozenset[str]
    restarted: frozenset[str]
    ended: frozenset[str]
    started: frozenset[str]


def between(before: Plan, after: Plan) -> Changes:
    """Changes that make the OS processes of `before` those of `after`. The status page starts anew."""
    fates = {f"worker.{name}": fate for name, fate in _workers(before, after).items()}
    fates |= {f"mms.{name}": fate for name, fate in _servers(before, after).items()}
    fates["status"] = "kept" if before.revision == after.revision else "restarted"
    return Changes(*(frozenset(name for name, one in fates.items() if one == fate) for fate in Changes._fields))


def _workers(before: Plan, after: Plan) -> dict[str, str]:
    old, new = before.revisions(), after.revisions()
    return {name: _fate(old.get(name), new.get(name), "restarted") for name in old | new}


def _servers(before: Plan, after: Plan) -> dict[str, str]:
    old, new = {one.name: one for one in before.ieds}, {one.name: one for one in after.ieds}
    fates = {name: _fate(old.get(name), new.get(name), "reloaded") for name in old | new}
    for name, ied in new.items():
        clock = before.assumed_clock_error_ns != after.assumed_clock_error_ns
        if name in old and (clock or served(old[name]) != served(ied)):
            fates[name] = "restarted"
        elif fates[name] == "kept" and before.revisions() != after.revisions():
            fates[name] = "reloaded"  # it hears every worker
    return fates


def _fate(old: object, new: object, changed: str) -> str:
    if old is None:
        return "started"
    if new is None:
        return "ended"
    return "kept" if old == new else changed


# ---------------------------------------------------------------------- for people


def described(before: Plan, after: Plan) -> list[str]:
    """Changes as text, a line each: lines and devices, then workers and IEDs."""
    changes = between(before, after)
    texts = [
        *_differences("line", _lines(before), _lines(after)),
        *_differences("device", _devices(before), _devices(after)),
    ]
    for name in sorted(frozenset().union(*changes) - {"status"}):
        kind, _, own = name.partition(".")
        fate = next(fate for fate, names in zip(Changes._fields, changes, strict=True) if name in names)
        if kind == "worker":
            texts.append(f"worker {own}: {fate}")
        else:
            texts.append(f"IED {own}: {'goes on' if fate == 'reloaded' else fate}{_objects(before, after, own)}")
    return texts


def _lines(plan: Plan) -> dict[str, LinePlan]:
    return {
        line.name: msgspec.structs.replace(line, devices=(), fallbacks=()) for worker in plan.workers for line in worker.lines
    }  # fmt: skip


def _devices(plan: Plan) -> dict[str, tuple[str, DevicePlan]]:
    """Each device with its line, and with the numbers of its points counted from its first: they move with other devices."""
    return {
        device.name: (line.name, _unnumbered(device))
        for worker in plan.workers
        for line in worker.lines
        for device in line.devices
    }


def _unnumbered(device: DevicePlan) -> DevicePlan:
    base = min((point.number for point in device.points), default=0)
    points = tuple(_counted_from(base, point) for point in device.points)
    clock = None if device.clock is None else device.clock - base
    return msgspec.structs.replace(device, points=points, blocks=(), clock=clock)


def _counted_from(base: int, point: PointPlan) -> PointPlan:
    factor, source = point.scale_from, point.source
    return msgspec.structs.replace(
        point,
        number=point.number - base,
        scale_from=None if factor is None else msgspec.structs.replace(factor, point=factor.point - base),
        together=None if point.together is None else point.together - base,
        source=msgspec.structs.replace(source, points=()) if isinstance(source, Computed) else source,
    )


def _objects(before: Plan, after: Plan, ied: str) -> str:
    """How the objects differ that the field feeds, if they do."""
    old, new = ({one.name: one for one in plan.ieds} for plan in (before, after))
    if ied not in old or ied not in new:
        return ""
    differences = _count(_bindings(before, old[ied]), _bindings(after, new[ied]))
    return "".join(f", {count} objects {what}" if count != 1 else f", 1 object {what}" for what, count in differences)


def _bindings(plan: Plan, ied: IedPlan) -> dict[str, object]:
    points = plan.points()
    return {
        one.reference: (
            one.q,
            one.t,
            [(points[source.point].name, msgspec.structs.replace(source, point=0)) for source in one.sources],
        )
        for one in ied.objects
    }


def _count(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    texts = [text.rpartition(" ")[2] for text in _differences("", old, new)]
    return ((what, texts.count(what)) for what in ("added", "changed", "removed") if what in texts)


def _differences(kind: str, old: Mapping[str, _Named], new: Mapping[str, _Named]) -> list[str]:
    fates = {name: _fate(old.get(name), new.get(name), "changed") for name in sorted(old.keys() | new.keys())}
    words = {"started": "added", "ended": "removed", "changed": "changed"}
    return [f"{kind} {name}: {words[fate]}" for name, fate in fates.items() if fate in words]
