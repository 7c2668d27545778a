"""Configuration, settings and descriptions: a client reads the values of the SCL file after the start.

The file is read here a second time, by the standard library's parser and a resolver that shares nothing with ours.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from mapping.diagnostics import Diagnostics
from mapping.scl.access_points import server
from mapping.scl.reader import read
from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from tests.support.engine_client import IDENTITY, EngineClient, bare

DEMO = Path(__file__).parents[3] / "hw_configs" / "demo" / "demo.icd"
NS = "{http://www.iec.ch/61850/2003/SCL}"
CONFIGURED = ("CF", "DC", "SP")


class File:
    """The values that an SCL file gives to attributes with FC CF, DC and SP."""

    def __init__(self, path: Path) -> None:
        self._root = ET.parse(path).getroot()
        templates = self._root.find(f"{NS}DataTypeTemplates")
        assert templates is not None
        self._types = {one.get("id"): one for one in templates}
        ied = self._root.find(f"{NS}IED")
        assert ied is not None
        self._ied = ied

    def values(self) -> Iterator[tuple[str, str, str, str]]:
        """Domain, item, bType and text of each, overridden or not."""
        for device in self._ied.iter(f"{NS}LDevice"):
            domain = f"{self._ied.get('name')}{device.get('inst')}"
            for node in [*device.findall(f"{NS}LN0"), *device.findall(f"{NS}LN")]:
                name = f"{node.get('prefix', '')}{node.get('lnClass')}{node.get('inst', '')}"
                for do in self._types[node.get("lnType")]:
                    given = node.find(f"{NS}DOI[@name='{do.get('name')}']")
                    for fc, path, kind, text in self._object(self._types[do.get("type")], given):
                        yield domain, f"{name}${fc}${do.get('name')}${'$'.join(path)}", kind, text

    def _object(self, kind: Any, given: Any) -> Iterator[tuple[str, list[str], str, str]]:
        for member in kind:
            instance = None if given is None else _named(given, member.get("name"))
            if member.tag == f"{NS}SDO":
                for fc, path, basic, text in self._object(self._types[member.get("type")], instance):
                    yield fc, [member.get("name"), *path], basic, text
            elif member.get("fc") in CONFIGURED:
                for path, basic, text in self._attribute(member, instance):
                    yield member.get("fc"), path, basic, text

    def _attribute(self, member: Any, given: Any) -> Iterator[tuple[list[str], str, str]]:
        name = member.get("name")
        if member.get("bType") == "Struct":
            for inner in self._types[member.get("type")]:
                instance = None if given is None else _named(given, inner.get("name"))
                for path, basic, text in self._attribute(inner, instance):
                    yield [name, *path], basic, text
            return
        value = None if given is None else given.find(f"{NS}Val")
        value = member.find(f"{NS}Val") if value is None else value
        if value is not None:
            yield [name], member.get("bType"), self._plain(member, value.text or "")

    def _plain(self, member: Any, text: str) -> str:
        """An enumeration's name as its ordinal."""
        if member.get("bType") != "Enum":
            return text
        ordinals = {one.text: one.get("ord") for one in self._types[member.get("type")]}
        return str(ordinals[text])


def _named(element: Any, name: str | None) -> Any:
    return next((one for one in element if one.get("name") == name), None)


def online(kind: str, value: Any) -> object:
    """A value read online, as a file would have it."""
    if kind == "FLOAT32":
        return struct.unpack(">f", value[1:])[0]
    return value if kind == "BOOLEAN" or isinstance(value, str) else int(value)


def in_file(kind: str, text: str) -> object:
    if kind == "FLOAT32":
        return struct.unpack(">f", struct.pack(">f", float(text)))[0]
    if kind == "BOOLEAN":
        return text == "true"
    return text if kind.startswith(("Vis", "Unicode")) else int(text)


@pytest.fixture(scope="module")
def client() -> EngineClient:
    found = Diagnostics()
    return EngineClient(Engine(DataModel(server(read(DEMO, found), None, None, found)), IDENTITY))


@pytest.mark.conformance("CNF-3")
def test_configuration_settings_and_descriptions_begin_as_the_file_has_them(client: EngineClient) -> None:
    compared = 0
    for domain, item, kind, text in File(DEMO).values():
        (result,) = client.read(domain, item)
        assert online(kind, bare(result["success"])) == in_file(kind, text), item
        compared += 1
    assert compared > 200


@pytest.mark.conformance("CNF-5")
def test_the_control_models_are_those_of_the_file(client: EngineClient) -> None:
    wanted = {item: int(text) for _, item, _, text in File(DEMO).values() if item.endswith("$ctlModel")}
    wanted = {item: value for item, value in wanted.items() if item.startswith(("GGIO1", "CSWI1"))}
    found = {item: bare(client.read("DEMOIO", item)[0]["success"]) for item in wanted}
    assert found == wanted
    assert set(wanted.values()) == {0, 1, 2, 3, 4}
