"""What a compiled site costs on its lines, for `plan`: requests, octets, milliseconds, load, achievable periods, advice."""

import textwrap
from collections.abc import Iterator
from typing import Final

from mapping.compile import Compiled
from mapping.plan import Block, Computed, DevicePlan, LinePlan, RegisterBlock
from mapping.polling import planner
from mapping.polling.advice import advice
from mapping.protocols import Framing

WIDTH: Final = 110


def report(compiled: Compiled) -> str:
    """The report as text, a table for each line."""
    parts = [
        "\n".join(_line(line, compiled.protocols[line.protocol].framing, commanded=line.name in compiled.commanded))
        for worker in compiled.workers
        for line in worker.lines
    ]
    if compiled.passed_over:
        listed = "\n".join(f"  {text}" for text in compiled.passed_over)
        parts.append(f"proposed by a profile, but not in the SCL file:\n{listed}")
    return "\n\n".join(parts)


def _line(line: LinePlan, framing: Framing, *, commanded: bool) -> Iterator[str]:
    cost = planner.line_cost(line, framing)
    physics = planner.physics(framing, line.settings)
    yield f"line {line.name} ({line.protocol}): {cost.requests_per_s:.2f} requests/s, load {cost.load:.1%}"
    if cost.load > 1:
        yield f"  asked for more than it can do: every period becomes {cost.stretch:.2f} times as long"
    if commanded and physics.serial:
        limit = physics.commanded_limit()
        yield f"  it carries commands: no block over {limit} registers, so that none waits long for a frame border"
    yield f"  {'device':<16} {'unit':>4} {'what':<26} {'values':>6} {'octets':>11} {'ms':>7} {'every':>8} {'gets':>8}"
    for device in line.devices:
        names = {point.number: point.local_name for point in device.points}
        for block in device.blocks:
            yield _block(device, block, physics.to(device), cost.stretch)
            yield from _listed(names[number] for number in block.points)
        computed = [point.local_name for point in device.points if point.polled and isinstance(point.source, Computed)]
        if computed:
            yield f"  {device.name:<16} {'':>4} computed"
            yield from _listed(iter(computed))
        if not device.blocks:
            yield f"  {device.name:<16} {device.unit:>4} nothing is asked: no row of a map uses it"
    yield from (f"  advice: {one}" for one in advice(line, framing, commanded=commanded))


def _listed(names: Iterator[str]) -> Iterator[str]:
    indent = " " * 24
    yield from textwrap.wrap(" ".join(names), WIDTH, initial_indent=indent, subsequent_indent=indent)


def _block(device: DevicePlan, block: Block, physics: planner.Physics, stretch: float) -> str:
    if isinstance(block, RegisterBlock):
        what = f"{block.table} {block.address}..{block.address + block.count - 1}"
    else:
        what = block.request.strip()
    asked, answered = physics.framing.octets(block)
    ms = physics.exchange_s(block) * 1000 + device.polling.pause_ms
    octets = f"{asked}+{answered}"
    every, gets = f"{block.every_ms} ms", f"{block.every_ms * stretch:.0f} ms"
    return f"  {device.name:<16} {device.unit:>4} {what:<26} {len(block.points):>6} {octets:>11} {ms:>7.1f} {every:>8} {gets:>8}"
