"""The profile of a SunSpec device, as the text of a file: absolute addresses, to be read and edited (pure)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace

from mapping.sunspec.chain import COMMON, Chain, Model, SunSpecError
from mapping.sunspec.names import AC_MODELS, MEASURING, METERS
from mapping.sunspec.points import REQUEST_LIMIT, SunSpecPoint, definition, points


def profile(chain: Chain, asked: str, only: Collection[int] = ()) -> str:
    """The file for the device that shows `chain`, with the points of the models that measure, or of `only` those.

    `asked` says who was asked. Raises SunSpecError if none of the models is one that measures.
    """
    names = {model: _group(model.number) for model in chain.models}
    wanted = MEASURING.intersection(only) if only else MEASURING
    measuring = [model for model in chain.models if model.number in wanted and names[model] is not None]
    if not measuring:
        shown = ", ".join(str(model.number) for model in chain.models)
        which = "asked for" if only else "that measures"
        raise SunSpecError(f"no model {which} among those of the device: {shown}")
    found, left_out = _all_points(measuring)
    width = max(len(point.name) for point in found) + 1
    last = measuring[-1]
    lines = [
        f"# SunSpec models of {asked}, as it showed them: SunS at {chain.base}, then",
        *(f"#   {one.number:<5} at {one.address:<5} {_told(one, names[one], measuring)}" for one in chain.models),
        *_remarks(chain, measuring, left_out),
        _device(chain.texts),
        "# ID and length of the last model here: a chain that has moved is a fault, not wrong numbers.",
        f"identify: {{read: holding {last.address} uint32, equals: 0x{last.number << 16 | last.length:08x}}}",
        "points:",
        *(_line(point, width) for point in found),
    ]
    return "\n".join(lines) + "\n"


def _remarks(chain: Chain, measuring: list[Model], left_out: list[str]) -> Iterator[str]:
    """The remarks at the head of the file, for the engineer who edits it."""
    if not chain.ended:
        yield "# The device could not be read on from there: its chain has no end."
    if left_out:
        yield f"# Too far from its scale factor for one request, and left out: {', '.join(left_out)}."
    electric = [model.number for model in measuring if model.number in AC_MODELS]
    if any(number not in METERS for number in electric):
        yield "# Powers of an inverter are positive when it feeds in; those of a meter go by the direction it is mounted in."
    if len(electric) > 1:
        yield f"# Only model {electric[0]} proposes: each of the others is another MMXU. Ask again with --models for it alone."


def _device(texts: Mapping[str, str]) -> str:
    maker, model, version = (_quoted(texts.get(name) or "unknown") for name in ("Mn", "Md", "Vr"))
    return f"device: {{maker: {maker}, model: {model}, manual: SunSpec models}}  # firmware {version}"


def _group(number: int) -> str | None:
    known = definition(number)
    return None if known is None else str(known["name"])


def _told(model: Model, name: str | None, measuring: list[Model]) -> str:
    shown = name or "unknown"
    return shown if model in measuring or model.number == COMMON else f"{shown} (no points here)"


def _all_points(models: Iterable[Model]) -> tuple[list[SunSpecPoint], list[str]]:
    """The points of all models, no name twice, and the names of those whose scale is out of reach.

    The first model with AC quantities proposes; a second one is another MMXU, not the rest of the first.
    """
    found: dict[str, SunSpecPoint] = {}
    left_out: list[str] = []
    proposing: Model | None = None
    for model in models:
        known = definition(model.number)
        own = [] if known is None else points(model, known)
        fits = _in_reach(own)
        left_out += [point.name for point in own if point.name not in fits]
        renamed = {name: _free(name, model, found) for name in fits}
        proposing = proposing or (model if model.number in AC_MODELS else None)
        for point in (one for one in own if one.name in fits):
            found[renamed[point.name]] = replace(
                point,
                name=renamed[point.name],
                proposes=point.proposes if model is proposing else None,
                scale_from=None if point.scale_from is None else renamed[point.scale_from],
            )
    return list(found.values()), left_out


def _free(name: str, model: Model, taken: dict[str, SunSpecPoint]) -> str:
    """`name`, with the model's number and address behind it as far as that is needed to be alone."""
    for one in (name, f"{name}_m{model.number}"):
        if one not in taken:
            return one
    return f"{name}_m{model.number}_at_{model.address}"


def _in_reach(own: list[SunSpecPoint]) -> set[str]:
    """The names of the points that one request can bring with their scale factor, all that share it together."""
    spans = {point.name: _span(point) for point in own}
    reach = dict(spans)
    fits = set()
    for point in own:
        if point.scale_from is None:
            fits.add(point.name)
            continue
        start, end = reach[point.scale_from]
        start, end = min(start, spans[point.name][0]), max(end, spans[point.name][1])
        if end - start <= REQUEST_LIMIT:
            reach[point.scale_from] = (start, end)
            fits.add(point.name)
    return fits


def _span(point: SunSpecPoint) -> tuple[int, int]:
    _, address, kind = point.register.split()
    size = int(kind.partition(":")[2] or {"16": 1, "32": 2, "64": 4}[kind[-2:]])
    return int(address), int(address) + size


def _line(point: SunSpecPoint, width: int) -> str:
    keys = [f"read: {point.register}" if ":" not in point.register else f'read: "{point.register}"']
    if point.scale is not None:
        keys.append(f"scale: {point.scale:g}")
    if point.scale_from is not None:
        keys.append(f"scale_from: {point.scale_from}")
    if point.unit:
        keys.append(f"unit: {_quoted(point.unit) if point.unit == '%' else point.unit}")
    if point.proposes is not None:
        keys.append(f"proposes: {point.proposes}")
    if point.absent is not None:
        keys.append(f"absent: {_raw(point.absent)}")
    if point.enum:
        keys.append(f"enum: {{{', '.join(f'{raw}: {_quoted(name)}' for raw, name in point.enum)}}}")
    return f"  {point.name + ':':<{width}} {{{', '.join(keys)}}}"


def _raw(absent: int | str) -> str:
    return f"0x{absent:x}" if isinstance(absent, int) and absent > 0 else str(absent)


def _quoted(text: str) -> str:
    """`text` as YAML in double quotes, with nothing in it that YAML could take for something else."""
    plain = "".join(one if one.isprintable() else "?" for one in text)
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"'
