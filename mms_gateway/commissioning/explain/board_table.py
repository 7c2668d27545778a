"""The points of a board as a table: in colours for a terminal, as plain text for everything else (pure)."""

from collections.abc import Collection
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from mms_gateway.commissioning.tables import add, number, table, text
from mms_gateway.status.board import Board

HEADER: Final = ("point", "value", "unit", "quality", "age", "reason")
RIGHT: Final = (1, 4)


def plain(board: Board, devices: Collection[str], now: float) -> str:
    """Every point of `devices` (of all if none is named) as aligned text."""
    return text(table(HEADER, [_row(point) for point in _shown(board, devices, now)], right=RIGHT))


def coloured(board: Board, devices: Collection[str], now: float) -> Table:
    """The same for a terminal: what may not be used stands out."""
    made = table(HEADER, right=RIGHT)
    made.caption, made.caption_justify = Text(_lines(board)), "left"
    for point in _shown(board, devices, now):
        add(made, _row(point), "" if point["good"] else "red")
    return made


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
