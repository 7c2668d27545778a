"""YAML with places: strict about what YAML 1.1 guessed, bounded, and never a traceback."""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.diagnostics import Diagnostics, Span
from mapping.located_yaml.located import Located, inside, load


def read(folder: Path, text: str | bytes) -> tuple[Located | None, Diagnostics]:
    file, found = folder / "f.yaml", Diagnostics()
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load(file, found), found


SCALARS: list[tuple[str, Any]] = [
    ("true", True), ("false", False), ("on", "on"), ("off", "off"), ("yes", "yes"), ("no", "no"), ("True", "True"),
    ("12", 12), ("-3", -3), ("0", 0), ("0x1F", 31), ("1.5", 1.5), ("1e3", 1000.0), ("500ms", "500ms"), ('"012"', "012"),
    ("~", None), ("2026-01-01", "2026-01-01"), (".inf", ".inf"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object, tmp_path: Path) -> None:
    located, found = read(tmp_path, f"key: {text}\n")
    assert located is not None
    assert (located.data["key"], type(located.data["key"]), found.found) == (value, type(value), [])


MERGED = [
    ("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", {"x": 1, "y": 3}),
    ("a: &a {x: 1}\nc: &c {x: 2, z: 3}\nb: {<<: [*a, *c], w: 4}\n", {"x": 1, "z": 3, "w": 4}),
    ("a: &a {x: 1}\nc: &c {<<: *a, y: 2}\nb: {<<: *c}\n", {"x": 1, "y": 2}),
    ('b: {"<<": 1}\n', {"<<": 1}),
]


@pytest.mark.parametrize(("text", "value"), MERGED)
def test_a_merged_mapping_gives_what_is_not_said_beside_it(text: str, value: object, tmp_path: Path) -> None:
    located, found = read(tmp_path, text)
    assert located is not None
    assert (located.data["b"], found.found) == (value, [])


def test_what_is_merged_stands_where_it_was_written(tmp_path: Path) -> None:
    located, _ = read(tmp_path, "a: &a\n  x: 1\nb: {<<: *a}\n")
    assert located is not None
    assert (located.at("b", "x").line, located.key_at("b", "x").line) == (2, 2)


REFUSED = [
    ("a: 012\n", "ambiguous-number", 4),
    ("a: 1:30\n", "ambiguous-number", 4),
    ("a: 0o17\n", "ambiguous-number", 4),
    ("a: 1\na: 2\n", "duplicate-key", 1),
    ("a: !!python/object:os.system x\n", "yaml-tag", 4),
    ("a: [1, 2\n", "yaml-syntax", 1),
    ("a:\n\tb: 1\n", "yaml-syntax", 1),
    ("", "file-empty", 1),
    (b"a: \xff\n", "file-not-utf8", 1),
    ("a: " + "[" * 40 + "]" * 40, "yaml-too-deep", 28),
    ("- " * 100_000, "yaml-too-deep", 51),
    ("a: &a [*a]\n", "yaml-syntax", 8),
    ("a: 1\n---\nb: 2\n", "yaml-syntax", 1),
    (f"a: {'9' * 5000}\n", "bad-number", 4),
    ("a: 1e999\n", "bad-number", 4),
    ("? [1, 2]\n: 3\n", "yaml-key", 3),
    ("a: {<<: 5}\n", "yaml-merge", 5),
    ("a: {<<: [{b: 1}, 5]}\n", "yaml-merge", 5),
    ("a: {<<: {b: 1, b: 2}}\n", "duplicate-key", 16),
    ("a: \0\n", "yaml-syntax", 1),
]


@pytest.mark.parametrize(("text", "code", "column"), REFUSED)
def test_what_is_not_meant_is_refused_at_its_place(text: str | bytes, code: str, column: int, tmp_path: Path) -> None:
    _, found = read(tmp_path, text)
    assert [(finding.code, finding.span.column) for finding in found] == [(code, column)]


def test_a_tower_of_aliases_is_bounded(tmp_path: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9))
    _, found = read(tmp_path, "l0: &l0 [1]\n" + levels)
    assert [finding.code for finding in found] == ["yaml-too-deep"]


def test_a_ladder_of_aliases_is_no_deeper_than_the_limit(tmp_path: Path) -> None:
    rungs = "".join(f"l{n}: &l{n} [*l{n - 1}]\n" for n in range(1, 900))
    _, found = read(tmp_path, "l0: &l0 [1]\n" + rungs)
    assert [(finding.code, finding.span.line) for finding in found] == [("yaml-too-deep", 24)]


def test_what_an_anchor_names_is_read_wherever_it_is_repeated(tmp_path: Path) -> None:
    located, found = read(tmp_path, "a: &x {every: 1s}\nb: *x\n")
    assert located is not None
    assert (located.data["b"], located.at("b", "every").line, found.found) == ({"every": "1s"}, 1, [])


def test_a_file_of_brackets_is_refused_by_the_parser_or_by_our_own_bound(tmp_path: Path) -> None:
    """Newer versions of libyaml have a bound of their own; older ones recurse as deep as they are told."""
    _, found = read(tmp_path, "a: " + "[" * 200_000)
    assert [finding.code for finding in found] in (["yaml-too-deep"], ["yaml-syntax"])


def test_keys_and_values_know_their_places(tmp_path: Path) -> None:
    located, _ = read(tmp_path, "lines:\n  lan: {protocol: modbus-tcp}\n")
    assert located is not None
    assert located.key_at("lines", "lan") == Span(located.file, 2, 3, 3)
    assert located.at("lines", "lan", "protocol") == Span(located.file, 2, 19, 10)


def test_a_word_inside_a_scalar_has_a_place_of_its_own() -> None:
    span = Span("f", 3, 10, 11)
    assert inside(span, "feeder1.vlt", "vlt") == Span("f", 3, 18, 3)
    assert inside(Span("f", 3, 10, 13), "feeder1.vlt", "vlt") == Span("f", 3, 19, 3)


@given(st.text(max_size=60))
def test_no_text_makes_it_raise(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        located, found = read(Path(folder), text.encode("utf-8", "replace"))
    assert located is not None or found.errors
