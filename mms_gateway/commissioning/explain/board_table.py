"""The points of a board as a table: in colours for a terminal, as plain columns for everything else (pure)."""

from collections.abc import Collection
from typing import Any, Final

from rich.table import Table

from mms_gateway.commissioning.columns import columns, number
from mms_gateway.status.board import Board

HEADER: Final = ("point", "value", "unit", "quality", "age", "reason")
RIGHT: Final = (1, 4)


def plain(board: Board, devices: Collection[str], now: float) -> str:
    """Every point of `devices` (of all if none is named) as aligned text."""
    return columns(HEADER, [_row(point) for point in _shown(board, devices, now)], right=RIGHT)


def coloured(board: Board, devices: Collection[str], now: float) -> Table:
    """The same for a terminal: what may not be used stands out."""
    table = Table(box=None, pad_edge=False, caption=_lines(board), caption_justify="left")
    for place, name in enumerate(HEADER):
        table.add_column(name, justify="right" if place in RIGHT else "left", no_wrap=place < len(HEADER) - 1)
    for point in _shown(board, devices, now):
        table.add_row(*_row(point), style="" if point["good"] else "red")
    return table


def _shown(board: Board, devices: Collection[str], now: float) -> list[dict[str, Any]]:
    points = board.points(now)
    return [point for point in points if not devices or point["point"].partition(".")[0] in devices]


def _row(point: dict[str, Any]) -> tuple[str, ...]:
    age = "" if point["age"] is None else f"{point['age']:.1f} s"
    return (point["point"], number(point["value"]), point["unit"], point["quality"], age, point["reason"])


def _lines(board: Board) -> str:
    """The lines in one row: their load, or why they are not connected."""
    return "   ".join(
        f"{line.line}: {f'{line.load:.0%}' if line.connected else line.reason}" for line in board.lines.values()
    )
