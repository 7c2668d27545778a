"""Tables for people: as plain text a line a row, whole, for terminals and for files alike; in colours for `watch` (pure)."""

import io
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDTH: Final = 1_000_000  # characters: nothing is folded or cut


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]] = (),
    *,
    right: Sequence[int] = (),
    widths: Sequence[int] = (),
    gap: int = 2,
) -> Table:
    """The rows under their header, if that has a text; the columns with the indices `right` stand to the right.

    `widths` are the least of each column, `gap` what stands between two, in characters.
    """
    made = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), show_header=any(header))
    for place, name in enumerate(header):
        made.add_column(
            name,
            justify="right" if place in right else "left",
            no_wrap=place < len(header) - 1,
            min_width=widths[place] if widths else None,
        )
    for row in rows:
        add(made, row)
    return made


def add(to: Table, row: Sequence[str], style: str = "") -> None:
    """Add a row; brackets and colons of its texts are no markup, and what cannot be printed is a blank."""
    cells = ("".join(sign if sign.isprintable() else " " for sign in cell) for cell in row)
    to.add_row(*(Text(cell) for cell in cells), style=style)


def text(of: Table) -> str:
    """The table as plain text, without blanks at the ends of its lines."""
    console = Console(file=io.StringIO(), width=WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(of)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def number(value: object) -> str:
    """A value as people read it: floats with six digits, counts whole, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if 1e5 <= abs(value) < 1e15 else f"{value:.6g}"
    return str(value)
