"""The drawings of docs/architecture.md, made from the imports; `--check` says if they are out of date.

Everything else on the page is written by hand. A drawing stands between two marks: the rooms, which are the packages, and in
each room its modules and folders. An arrow goes from who imports to who is imported. An import that a longer way along the
arrows implies has no arrow of its own, so a drawing stays readable and still shows who may never meet.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import grimp

from tools.pages import keep

PATH: Final = Path(__file__).parents[1] / "docs" / "architecture.md"
ROOMS: Final = ("mms_gateway", "acquisition", "mms_server", "mapping", "bus")
_DRAWING: Final = re.compile(r"<!-- drawing: (?P<of>\w+) -->\n.*?<!-- end -->", re.DOTALL)

Arrows = Mapping[str, set[str]]


def imports() -> list[tuple[str, str]]:
    """Every import between modules of the rooms: who imports, who is imported."""
    graph = grimp.build_graph(*ROOMS, exclude_type_checking_imports=False)
    return [(one, other) for one in graph.modules for other in graph.find_modules_directly_imported_by(one)]


def arrows(found: Iterable[tuple[str, str]], inside: str = "") -> Arrows:
    """The imports among the children of the package `inside`, by importer; among the packages themselves if it is empty."""
    drawn: dict[str, set[str]] = defaultdict(set)
    for pair in found:
        one, other = (_child(name, inside) for name in pair)
        if one and other and one != other:
            drawn[one].add(other)
            drawn.setdefault(other, set())
    return drawn


def _child(name: str, inside: str) -> str:
    """The child of `inside` that the module `name` is or belongs to; empty if there is none."""
    if not inside:
        return name.partition(".")[0]
    head, _, rest = name.partition(".")
    return rest.partition(".")[0] if head == inside else ""


def reduced(drawn: Arrows) -> Arrows:
    """`drawn` without the arrows that a longer way implies. Raises ValueError for a circle."""
    beneath: dict[str, set[str]] = {}

    def reach(name: str, above: tuple[str, ...]) -> set[str]:
        if name in above:
            raise ValueError(f"a circle: {' > '.join((*above, name))}")
        if name not in beneath:
            beneath[name] = set().union(*({one} | reach(one, (*above, name)) for one in drawn[name]))
        return beneath[name]

    for name in drawn:
        reach(name, ())
    return {
        name: {one for one in ends if not any(one in beneath[other] for other in ends)} for name, ends in drawn.items()
    }


def drawing(drawn: Arrows) -> str:
    """The arrows as a Mermaid flowchart, in alphabetical order."""
    kept = reduced(drawn)
    lines = [f"    {_node(one)} --> {_node(other)}" for one in sorted(kept) for other in sorted(kept[one])]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```"])


def _node(name: str) -> str:
    """A module as a node: Mermaid takes neither `end` nor underscores at the edge of a name for an identifier."""
    return f"n_{name.strip('_')}[{name.strip('_')}]" if name != "__main__" else 'n_main["__main__"]'


def document(page: str) -> str:
    """`page` with its drawings made anew. Raises ValueError for a drawing of a room that is none."""
    found = imports()

    def drawn(match: re.Match[str]) -> str:
        name = match["of"]
        if name not in ("rooms", *ROOMS):
            raise ValueError(f"a drawing of {name}, expected one of rooms, {', '.join(ROOMS)}")
        made = drawing(arrows(found, "" if name == "rooms" else name))
        return f"<!-- drawing: {name} -->\n{made}\n<!-- end -->"

    return _DRAWING.sub(drawn, page)


if __name__ == "__main__":
    sys.exit(keep(PATH, document(PATH.read_text(encoding="utf-8")), "tools.architecture_doc", sys.argv))
