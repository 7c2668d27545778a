"""The drawings of the architecture page: what is drawn, what is left out, and what stops the generator."""

import re
from pathlib import Path

import pytest

from tools import architecture_doc
from tools.architecture_doc import arrows, document, drawing, imports, reduced

ROOT = Path(__file__).parents[3]
IMPORTS = [("a.x.one", "a.y"), ("a.x.two", "a.z.deep"), ("a.y", "a.z"), ("a.x.one", "a.x.two"), ("b", "a.y")]


def test_an_arrow_stands_for_the_imports_between_two_children_and_none_for_those_within_one() -> None:
    assert arrows(IMPORTS, "a") == {"x": {"y", "z"}, "y": {"z"}, "z": set()}
    assert arrows(IMPORTS) == {"b": {"a"}, "a": set()}


def test_an_import_that_a_longer_way_implies_has_no_arrow() -> None:
    assert reduced({"x": {"y", "z"}, "y": {"z"}, "z": set()}) == {"x": {"y"}, "y": {"z"}, "z": set()}
    assert drawing({"x": {"y"}, "y": set()}).splitlines() == [
        "```mermaid",
        "flowchart TD",
        "    n_x[x] --> n_y[y]",
        "```",
    ]


def test_a_circle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a circle: x > y > x$"):
        reduced({"x": {"y"}, "y": {"x"}})


def test_a_drawing_of_what_is_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a drawing of attic, expected one of rooms, mms_gateway"):
        document("<!-- drawing: attic -->\n<!-- end -->")


def test_acquisition_and_the_server_never_meet_in_the_imports() -> None:
    drawn = arrows(imports())
    assert drawn["mms_gateway"] >= {"acquisition", "mms_server", "mapping", "bus"}
    assert "mms_server" not in drawn["acquisition"]
    assert "acquisition" not in drawn["mms_server"]
    assert drawn["bus"] == set()


def test_every_path_that_the_page_names_is_there() -> None:
    page = architecture_doc.PATH.read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_]+/[a-z_/0-9]*(?:\.py)?)`", page))
    assert len(named) > 25
    assert sorted(path for path in named if not (ROOT / path).exists()) == []
