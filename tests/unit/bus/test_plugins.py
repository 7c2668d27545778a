"""Plug-ins: modules of a package with one upper-case constant."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from bus.plugins import PluginError, by_key, constants


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "letters"
    folder.mkdir()
    for name, text in {
        "__init__": "",
        "alpha": "LETTER = 'a'",
        "beta": "LETTER = 'b'",
        "number": "LETTER = 3",
        "plain": "letter = 'c'",
    }.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("letters")
    for name in [one for one in sys.modules if one.partition(".")[0] == "letters"]:
        del sys.modules[name]


def test_each_module_with_the_constant_of_the_kind_is_found_and_no_other(package: ModuleType) -> None:
    assert list(constants(package, "LETTER", str)) == [("letters.alpha", "a"), ("letters.beta", "b")]
    assert list(constants(package, "LETTER", int)) == [("letters.number", 3)]
    assert list(constants(package, "NUMBER", int)) == []


def test_plugins_are_known_by_their_key() -> None:
    assert by_key([("x.one", "a"), ("x.two", "bb")], len) == {1: "a", 2: "bb"}


def test_two_of_one_key_are_an_error_that_names_both() -> None:
    with pytest.raises(PluginError) as refused:
        by_key([("x.one", "a"), ("x.two", "bb"), ("y.three", "c")], len)
    assert str(refused.value) == "x.one and y.three both claim `1`"
