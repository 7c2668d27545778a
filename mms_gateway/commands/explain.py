"""`mms-gateway explain SITE REFERENCE`: one attribute's whole path, and what it is worth now."""

import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from mms_gateway.command import OK, Command
from mms_gateway.commissioning.exit_codes import carried_out
from mms_gateway.commissioning.explain.explaining import Section, attribute_binding, explain, point_location
from mms_gateway.commissioning.explain.mms_value import served
from mms_gateway.commissioning.explain.name_lookup import state_of
from mms_gateway.commissioning.explain.reference_lookup import Attribute, named
from mms_gateway.commissioning.explain.running_gateway import listening
from mms_gateway.commissioning.tables import number, table, text
from mms_gateway.runtime import instance_file
from mms_gateway.sites import compiled, say
from mms_gateway.status.board import Board, condition_text


def explain_reference(site: Path, reference: str, /, *, state_dir: Path | None = None) -> int:
    """Tell where an attribute stands in the SCL file and the map, what feeds it, who reports it, and how it is commanded.

    Parameters
    ----------
    site
        A site.yaml, or the folder that holds it.
    reference
        An attribute or a data object, as LD0/MMXU1.TotW.mag.f.
    state_dir
        State folder of the gateway that may be running; state/ beside site.yaml by default.
    """

    async def work() -> int:
        result = compiled(site)
        if not result.mapped:
            say(result.diagnostics.found)
        attribute = named(result, reference)
        sections = explain(result, attribute)
        state = state_of(site, state_dir)
        running = instance_file.running(state)
        if running is None:
            sections.append(("now", "no gateway runs here"))
        else:
            async with listening(state) as listener:
                sections += _live(listener.board, attribute, time.monotonic())
                ied = listener.board.plan.ied(attribute.mapped.ied)
                sections.append(("served", await asyncio.to_thread(served, running, ied, attribute)))
        _print(attribute, sections)
        return OK

    return carried_out(work())


def _live(board: Board, attribute: Attribute, now: float) -> list[Section]:
    """The samples of what feeds it, as they were last published."""
    fed = attribute_binding(board.plan.ied(attribute.mapped.ied), attribute)
    if fed is None:
        return []
    numbers = [one.point for one in (fed.binding.sources if fed.source is None else (fed.source,))]
    places = [found for one in numbers if (found := point_location(board.plan, one)) is not None]
    names = {found.point.name for found in places}
    sections = []
    for point in board.points(now):
        if point["point"] in names:
            age = "" if point["age"] is None else f", {point['age']:.1f} s old"
            reason = f": {point['reason']}" if point["reason"] else ""
            value = f"{number(point['value'])} {point['unit']}".strip() or "no value"
            sections.append(("now", f"{point['point']} is {value}, {point['quality']}{reason}{age}"))
    return sections + _conditions(board, dict.fromkeys(found.line.name for found in places))


def _conditions(board: Board, lines: Iterable[str]) -> list[Section]:
    """The conditions of the lines that feed it."""
    return [
        ("line", f"{name}: {condition_text(one)}")
        for name in lines
        if name in board.lines
        for one in board.lines[name].conditions
    ]


def _print(attribute: Attribute, sections: list[Section]) -> None:
    lines = text(table(("", ""), sections)).splitlines()
    sys.stdout.write("\n".join([attribute.reference, *(f"  {line}" for line in lines)]) + "\n")


COMMAND: Final = Command("explain", explain_reference)
