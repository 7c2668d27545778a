"""Pass 2: points that stand on other points: computed ones, those with a scale of their own, those read together.

expr: voltage_l1 * current_l1     names find points, of the device or of another in the same worker; no circles
scale_from: a_sf                  the scale and what it scales come in one request
together: block                   so do points with one name here
"""

from collections.abc import Iterator

import msgspec

from mapping.diagnostics import Span, did_you_mean
from mapping.expressions import Expression, ExpressionError, compile_expression
from mapping.located_yaml.located import inside
from mapping.located_yaml.validated import nearest
from mapping.passes.draft import Draft, DraftDevice, DraftPoint
from mapping.passes.point_lookup import Miss, find_point
from mapping.plan import Computed, PointPlan, Register, ScaleFrom
from mapping.protocols import REGISTERS_LIMIT


def resolve_forms(draft: Draft) -> None:
    """Resolve the names by which points stand on others, and number what must come in one request."""
    forms = _Forms(draft)
    for device in draft.devices.values():
        for point in device.points.values():
            forms.scale(device, point)
    for device in draft.devices.values():
        forms.groups(device)
        forms.clock(device)
    for device in draft.devices.values():
        for point in device.points.values():
            forms.expression(device, point)
    forms.settle()


def use_inputs(draft: Draft) -> None:
    """Poll what the points in use stand on."""
    inputs = {
        point.plan.number: set(_inputs(point.plan))
        for device in draft.devices.values()
        for point in device.points.values()
    }
    pending = list(draft.used)
    while pending:
        fresh = inputs.get(pending.pop(), set()) - draft.used
        draft.used |= fresh
        pending += fresh


def _inputs(plan: PointPlan) -> Iterator[int]:
    if plan.scale_from is not None:
        yield plan.scale_from.point
    if isinstance(plan.source, Computed):
        yield from (number for _, number in plan.source.points)


class _Forms:
    """The dependent points of one site. A fault of a profile is one diagnostic, however many devices use it."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._said: set[tuple[Span, str]] = set()
        self._computed: dict[int, tuple[DraftPoint, Expression, list[DraftPoint]]] = {}

    def _say(self, code: str, place: Span, message: str, hint: str | None = None) -> None:
        if (place, code) not in self._said:
            self._said.add((place, code))
            self._draft.found.error(code, place, message, hint=hint)

    # ------------------------------------------------------------------ scales

    def scale(self, device: DraftDevice, point: DraftPoint) -> None:
        """Find the point that holds the scale of `point`."""
        spec = None if point.spec is None else point.spec.scale_from
        if spec is None:
            return
        place = point.at("scale_from")
        scale = device.points.get(spec.point)
        if scale is None:
            if spec.point not in device.left_out and not device.half_known:
                hint = did_you_mean(nearest(spec.point, list(device.points)))
                self._say("unknown-point", place, f"no point `{spec.point}` beside `{point.plan.local_name}`", hint)
            return
        if not isinstance(scale.plan.source, Register) or scale.kind != "number":
            self._say("bad-point", place, f"`{spec.point}` is no number in a register: it can be no scale")
        elif scale.spec is not None and scale.spec.scale_from is not None:
            self._say("bad-point", place, f"`{spec.point}` has a scale of its own: it can be no scale")
        else:
            found = ScaleFrom(scale.plan.number, spec.as_ == "power")
            point.plan = msgspec.structs.replace(point.plan, scale_from=found)

    def clock(self, device: DraftDevice) -> None:
        """Find the point that shows the device's own clock, which is polled then."""
        if device.clock is None or self._draft.site_file is None:
            return
        place = self._draft.site_file.values.get(("devices", device.name, "clock"))
        place = place or self._draft.site_file.at("devices", device.name, "profile")
        point = device.points.get(device.clock)
        source = None if point is None else point.plan.source
        if point is not None and isinstance(source, Register) and source.type.startswith("time:"):
            self._draft.used.add(point.plan.number)
            return
        if point is not None:
            self._say("bad-point", place, f"`{device.clock}` is no clock, expected a point of a type `time:...`")
        elif device.clock not in device.left_out and not device.half_known:
            hint = did_you_mean(nearest(device.clock, list(device.points)))
            self._say("unknown-point", place, f"no point `{device.clock}` of device `{device.name}`", hint)
        device.clock = None

    # ------------------------------------------------------------------ groups

    def groups(self, device: DraftDevice) -> None:
        """Give points that must come in one request the number of the first of them."""
        leader = {point.plan.number: point.plan.number for point in device.points.values()}

        def first(number: int) -> int:
            while leader[number] != number:
                number = leader[number]
            return number

        named: dict[str, int] = {}
        for point in device.points.values():
            if not point.plan.readable:
                continue  # what is only written comes with nobody
            links = [] if point.plan.scale_from is None else [point.plan.scale_from.point]
            if point.spec is not None and point.spec.together is not None:
                links.append(named.setdefault(point.spec.together, point.plan.number))
            for other in links:
                low, high = sorted((first(point.plan.number), first(other)))
                leader[high] = low
        members: dict[int, list[DraftPoint]] = {}
        for point in device.points.values():
            members.setdefault(first(point.plan.number), []).append(point)
        for number, points in members.items():
            if len(points) > 1 and self._can_come_together(device, points):
                for point in points:
                    point.plan = msgspec.structs.replace(point.plan, together=number)

    def _can_come_together(self, device: DraftDevice, points: list[DraftPoint]) -> bool:
        head = points[0].plan
        for point in points:
            place = _link(point) or _link(points[0]) or point.at()
            wrong = _apart(head, point.plan)
            if wrong is not None:
                names = f"`{head.local_name}` and `{point.plan.local_name}`"
                self._say("not-together", place, f"{names} cannot come in one request: {wrong}")
                return False
        registers = [point.plan.source for point in points if isinstance(point.plan.source, Register)]
        start = min(one.address for one in registers)
        count = max(one.address + one.count for one in registers) - start
        protocol = self._draft.protocol_of(device.line)
        limit = min(device.polling.max_registers, REGISTERS_LIMIT if protocol is None else protocol.framing.registers)
        if registers[0].table in ("holding", "input") and count > limit:
            place = points[-1].at()
            names = f"`{head.local_name}` to `{points[-1].plan.local_name}`"
            self._say("not-together", place, f"{names} span {count} registers, over the {limit} of one request")
            return False
        gap = _unnamed(device, registers) if device.polling.exact else None
        if gap is not None:
            names = f"`{head.local_name}` to `{points[-1].plan.local_name}`"
            message = f"{names} in one request read {registers[0].table} {gap} along, which no point names"
            self._say(
                "not-together", points[-1].at(), message, "the device is `exact: true`: name it, or read them apart"
            )
            return False
        return True

    # ------------------------------------------------------------------ expressions

    def expression(self, device: DraftDevice, point: DraftPoint) -> None:
        """Find the points that a computed one names, and what it gives."""
        if not isinstance(point.plan.source, Computed):
            return
        text = point.plan.source.text
        try:
            found = compile_expression(text, device.name)
        except ExpressionError as error:
            self._misfit(point, error)
            return
        inputs = self._named(device, point, found)
        if inputs is not None:
            self._computed[point.plan.number] = (point, found, inputs)
            numbers = tuple((one.plan.name, one.plan.number) for one in inputs)
            point.plan = msgspec.structs.replace(point.plan, source=Computed(text, device.name, numbers))

    def _misfit(self, point: DraftPoint, error: ExpressionError) -> None:
        assert isinstance(point.plan.source, Computed)  # noqa: S101 - it has an expression
        place = point.at("expr")
        span = inside(place, point.plan.source.text, error.word) if error.word else place
        self._say("expression", span, str(error), "`voltage_l1 * current_l1`")

    def _named(self, device: DraftDevice, point: DraftPoint, found: Expression) -> list[DraftPoint] | None:
        """The points that the expression names; None if one of them cannot be had, which is said."""
        place, text = point.at("expr"), found.text
        if not found.points:
            self._say("expression", place, "no point in it: it would always be the same")
            return None
        inputs: list[DraftPoint] = []
        for name in found.points:
            one = find_point(self._draft, name)
            owner, _, local = name.partition(".")
            word = local if owner == device.name and name not in text else name
            if isinstance(one, Miss):
                self._say(one.code, inside(place, text, word), one.message, one.hint)
            elif one is not None and not one.plan.readable:
                self._say("not-readable", inside(place, text, word), f"`{word}` has no `read`: it shows nothing")
            elif one is not None and self._apart(device, owner):
                message = f"`{name}` is polled by another process than `{device.name}`"
                hint = "`worker:` puts lines into one process"
                self._say("other-worker", inside(place, text, word), message, hint)
            elif one is not None:
                inputs.append(one)
        return inputs if len(inputs) == len(found.points) else None

    def _apart(self, device: DraftDevice, other: str) -> bool:
        line = self._draft.devices[other].line
        return self._draft.worker_of(line) != self._draft.worker_of(device.line)

    def settle(self) -> None:
        """Say which computed points stand on themselves; of the others, what they give and how fresh they can be."""
        points = {one.plan.number: one for device in self._draft.devices.values() for one in device.points.values()}
        circles = {number for number in self._computed if number in _below(number, points)}
        said: set[int] = set()
        for number in sorted(circles):
            if number not in said:
                point = points[number]
                self._say("circle", point.at("expr"), f"`{point.plan.local_name}` is computed from itself")
                said |= {one for one in _below(number, points) if number in _below(one, points)}
        settled: set[int] = set()
        for number in self._computed:
            if not circles:
                self._settle(number, settled)

    def _settle(self, number: int, settled: set[int]) -> None:
        if number in settled or number not in self._computed:
            return
        settled.add(number)
        point, found, inputs = self._computed[number]
        for one in inputs:
            self._settle(one.plan.number, settled)
        kinds = {one.plan.name: one.kind for one in inputs}
        try:
            point.computed_kind = found.kind(lambda name: kinds[name])
        except ExpressionError as error:
            self._misfit(point, error)
            return
        point.plan = msgspec.structs.replace(
            point.plan,
            every_ms=min(one.plan.every_ms for one in inputs),
            stale_after_ms=min(one.plan.stale_after_ms for one in inputs),
        )


def _below(number: int, points: dict[int, DraftPoint]) -> set[int]:
    """The points that `number` stands on, at any depth."""
    found: set[int] = set()
    pending = [number]
    while pending:
        fresh = set(_inputs(points[pending.pop()].plan)) - found
        found |= fresh
        pending += fresh
    return found


def _unnamed(device: DraftDevice, registers: list[Register]) -> int | None:
    """The first address between `registers` of one table that no point of `device` names; None if there is none."""
    sources = (point.plan.source for point in device.points.values() if point.plan.readable)
    table = registers[0].table
    named = {
        address
        for one in sources
        if isinstance(one, Register) and one.table == table
        for address in range(one.address, one.address + one.count)
    }
    start, end = min(one.address for one in registers), max(one.address + one.count for one in registers)
    return next((address for address in range(start, end) if address not in named), None)


def _link(point: DraftPoint) -> Span | None:
    """The place of the key by which `point` comes with others in one request."""
    assert point.file is not None  # noqa: S101 - the worker's own come with nobody
    keys = ((*point.path, key) for key in ("together", "scale_from"))
    return next((point.file.values[key] for key in keys if key in point.file.values), None)


def _apart(first: PointPlan, other: PointPlan) -> str | None:
    """The reason for which two points cannot come in one request; None if they can."""
    here, there = first.source, other.source
    if not isinstance(here, Register) or not isinstance(there, Register):
        return "one is no register"
    if here.table != there.table:
        return f"one is {here.table}, the other {there.table}"
    if first.every_ms != other.every_ms:
        return f"one is due every {first.every_ms} ms, the other every {other.every_ms} ms"
    return None
