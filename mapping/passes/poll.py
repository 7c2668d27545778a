"""Pass 6, polling: the points that something uses become block reads, each line a worker; overload is a diagnostic."""

from collections.abc import Iterator

import msgspec

from mapping.block_planning import planner
from mapping.passes.draft import Draft, DraftDevice
from mapping.plan import DevicePlan, LinePlan, Own, PointPlan, WorkerPlan
from mapping.protocols import REGISTERS_LIMIT, Framing, Protocol


def plan_polls(draft: Draft) -> tuple[WorkerPlan, ...]:
    """The workers with their lines, devices, points and blocks."""
    workers: dict[str, list[LinePlan]] = {}
    for name, keys in draft.lines.items():
        protocol = draft.protocols[str(keys["protocol"])]
        settings = {key: value for key, value in keys.items() if key not in ("protocol", "worker")}
        physics = planner.physics(protocol.framing, settings)
        own = [device for device in draft.devices.values() if device.line == name]
        longest = physics.commanded_limit() if commanded(draft, name) else REGISTERS_LIMIT
        line = LinePlan(
            name,
            protocol.name,
            settings,
            tuple(_device(draft, device, physics, longest, protocol) for device in own),
            tuple(_fallbacks(draft, name, protocol, physics)),
        )
        _check_load(draft, line, protocol.framing)
        workers.setdefault(draft.worker_of(name), []).append(line)
    return tuple(WorkerPlan(name, tuple(lines)) for name, lines in workers.items())


def _fallbacks(draft: Draft, line: str, protocol: Protocol, physics: planner.Physics) -> Iterator[DevicePlan]:
    """The devices that have their second path on `line`."""
    for device in draft.devices.values():
        if device.fallback is not None and device.fallback[0] == line:
            plan = _device(draft, device, physics, REGISTERS_LIMIT, protocol)
            alone = msgspec.structs.replace(plan.polling, pipeline=1)
            polling = plan.polling if protocol.tagged else alone
            yield msgspec.structs.replace(plan, unit=device.fallback[1], polling=polling)


def commanded(draft: Draft, line: str) -> bool:
    """True if a command of some map is written on `line`."""
    written = {number for ied in draft.ieds for one in ied.commands for number in (one.point, one.off_point)}
    return any(
        point.plan.number in written
        for device in draft.devices.values()
        for point in device.points.values()
        if device.line == line
    )


def _device(
    draft: Draft, device: DraftDevice, physics: planner.Physics, longest: int, protocol: Protocol
) -> DevicePlan:
    points = tuple(_polled(draft, point.plan) for point in device.points.values())
    plan = DevicePlan(
        name=device.name,
        unit=device.unit,
        profile=device.profile,
        polling=device.polling,
        points=points,
        blocks=(),
        identify=device.identify,
        clock=None if device.clock is None else device.points[device.clock].plan.number,
        turnaround_ms=_turnaround(draft, device),
        resync=device.resync or protocol.resync(device.unit),
    )
    return planner.planned(plan, physics, longest)


def _turnaround(draft: Draft, device: DraftDevice) -> int | None:
    measured = draft.measured.get(device.name)
    return None if measured is None or measured.unit != device.unit else measured.milliseconds


def _polled(draft: Draft, point: PointPlan) -> PointPlan:
    used = point.number in draft.used or isinstance(point.source, Own)
    return msgspec.structs.replace(point, polled=used)


def _check_load(draft: Draft, line: LinePlan, framing: Framing) -> None:
    cost = planner.line_cost(line, framing)
    if cost.load <= 1 or draft.site_file is None:
        return
    slowest = max((block.every_ms for device in line.devices for block in device.blocks), default=0)
    draft.found.warning(
        "overloaded",
        draft.site_file.key_at("lines", line.name),
        f"line `{line.name}` is asked for {cost.load:.0%} of its time: {slowest} ms become {slowest * cost.load:.0f} ms",
        hint="a longer `every:`, a higher baud rate, or fewer points",
    )
