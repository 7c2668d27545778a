"""Examples of regular expressions, for the answers of simulated instruments."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from acquisition.simulate.example_text import example

DEVICES = sorted((Path(str(files("hw_configs"))) / "devices").glob("*.yaml"))


@pytest.mark.parametrize(
    ("pattern", "groups", "expected"),
    [
        ("S (?P<state>[SDI]) +(?P<value>[-0-9.]+) kg", {"state": "S", "value": "1.500"}, "S S 1.500 kg"),
        (r"(?P<value>\d+\.\d*)", {"value": "7."}, "7."),
        (r"\d\s\w\D\S\.", {}, "0 aaa."),
        (r"^a?b*c+?d{3}(e|f|g)(?:hi){2,5}$", {}, "cdddehihi"),
        (r"(a(?P<n>x|y)){2}", {"n": "y"}, "ayay"),
        (r"[^0-9A-Z]", {}, ":"),
        (r"[\]x][]y][\\z]", {}, r"]]\\"[:3]),
        (r"\x41\t\(.{2}\)", {}, "A\t(aa)"),
        (r"one|two", {}, "one"),
        ("", {}, ""),
    ],
)
def test_the_plainest_text_is_made_with_the_groups_in_it(pattern: str, groups: dict[str, str], expected: str) -> None:
    assert example(pattern, groups) == expected
    assert re.fullmatch(pattern, expected)


@pytest.mark.parametrize(
    ("pattern", "groups", "text"),
    [
        (
            r"(?P<value>[0-9]+)",
            {"value": "-1"},
            "no example of `(?P<value>[0-9]+)` can be made with value='-1': `-1` is none",
        ),
        (r"(?=a)a", {}, "no example of `(?=a)a` can be made: its group at 0 is not known"),
        (r"(a)\1", {}, r"no example of `(a)\1` can be made: it refers to a group of its own"),
        (r"a\Zb", {}, r"no example of `a\Zb` can be made with no group: `ab` is none"),
        (
            r"[^\x00-\xff]",
            {},
            r"no example of `[^\x00-\xff]` can be made: its class `[^\x00-\xff]` has no character of Latin-1",
        ),
    ],
)
def test_an_expression_of_another_form_is_said(pattern: str, groups: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match="no example") as refused:
        example(pattern, groups)
    assert str(refused.value) == text


def test_every_expression_of_a_profile_has_an_example() -> None:
    patterns = []
    for path in DEVICES:
        profile = yaml.safe_load(path.read_text(encoding="utf-8"))
        patterns.append((profile.get("identify") or {}).get("match"))
        patterns += [point.get("reply") for point in (profile.get("points") or {}).values() if point]
    written = [one for one in patterns if one]
    assert len(written) > 3
    for pattern in written:
        assert re.fullmatch(pattern, example(pattern, {}))
