"""Tables as plain text: aligned, whole and without escape sequences, whatever the terminal is."""

import io

import pytest
from rich.console import Console

from mms_gateway.commissioning.tables import add, table, text

HEADER = ("point", "value", "reason")


def test_columns_are_aligned_and_lines_end_with_their_text() -> None:
    made = table(HEADER, [("a.voltage_l1", "230.5", ""), ("b", "7", "late")], right=(1,))
    assert text(made) == "point         value  reason\na.voltage_l1  230.5\nb                 7  late"


def test_without_rows_the_header_stands_alone_and_without_header_the_rows() -> None:
    assert text(table(HEADER)) == "point  value  reason"
    assert text(table(("", ""), [("now", "1"), ("served", "2")])) == "now     1\nserved  2"
    assert text(table(("", ""))) == ""


def test_a_column_is_as_wide_as_is_asked_for_at_least() -> None:
    made = table(("a", "b"), [("1", "2"), ("12345", "3")], right=(1,), widths=(4, 3), gap=1)
    assert text(made) == "a       b\n1       2\n12345   3"


@pytest.mark.parametrize("columns", ["20", "80"])
def test_nothing_is_cut_folded_or_coloured_on_a_narrow_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COLUMNS", columns), ("FORCE_COLOR", "1"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    made = table(HEADER, [("long" * 50, "1", "word " * 60)])
    add(made, ("b", "2", "c"), "red")
    lines = text(made).splitlines()
    assert [len(line) for line in lines] == [200 + 2 + 5 + 2 + 6, 200 + 2 + 5 + 2 + 299, 200 + 2 + 5 + 2 + 1]
    assert all(line.isprintable() for line in lines)


def test_what_a_device_says_is_no_markup_and_no_escape_sequence() -> None:
    made = table(HEADER, [("[red]x[/]", ":smile:", "\x1b[31mA\nB\x00")])
    assert text(made).splitlines()[1] == "[red]x[/]  :smile:   [31mA B"


def test_a_style_is_for_terminals() -> None:
    made = table(HEADER)
    add(made, ("a", "1", "late"), "red")
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system="standard", width=80).print(made)
    assert "\x1b[31m" in out.getvalue()
    assert text(made) == "point  value  reason\na      1      late"
