"""SCL files of every origin: sound parts are served, broken ones are left out, with a diagnostic at their line."""

import copy
import random
import tempfile
from pathlib import Path

import pytest
from lxml import etree

from mapping import model
from mapping.diagnostics import Diagnostics, MappingError
from mapping.model import FC, BasicType, Edition, LogicalNodeType
from mapping.scl import reader
from mapping.scl.access_points import server
from mapping.scl.name_lengths import long_names
from mms_server.model.tree import DataModel
from tests.support import models

CASES = Path(__file__).parents[3] / "cases" / "scl"
DEMO = Path(__file__).parents[4] / "hw_configs" / "demo" / "demo.icd"


def read(path: Path, ied: str | None = None, at: str | None = None) -> tuple[model.Server, Diagnostics]:
    found = Diagnostics()
    return server(reader.read(path, found), ied, at, found), found


@pytest.fixture(scope="module")
def odd() -> tuple[model.Server, Diagnostics]:
    return read(CASES / "oddities.icd")


def written(folder: Path, text: str) -> Path:
    path = folder / "file.scd"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_first_ied_with_a_server_is_served_and_a_client_is_passed_over(
    odd: tuple[model.Server, Diagnostics],
) -> None:
    assert (odd[0].ied_name, odd[0].access_point, odd[0].edition) == ("ODD", "P1", Edition.ED2)


def test_a_server_at_another_access_point_is_the_same_server() -> None:
    assert [ld.name for ld in read(CASES / "oddities.icd", "ODD", "P2")[0].devices] == ["FUNCTIONAL"]


def test_each_fault_is_one_warning_with_its_line(odd: tuple[model.Server, Diagnostics]) -> None:
    said = [(finding.code, finding.span.line) for finding in odd[1]]
    assert sorted(said, key=lambda one: one[1]) == [
        ("scl-unknown-member", 18),
        ("scl-unknown-member", 19),
        ("scl-unknown-member", 20),
        ("scl-unknown-instance", 25),
        ("scl-bad-value", 34),
        ("scl-unknown-type", 36),
        ("scl-duplicate", 37),
        ("scl-unknown-type", 46),
        ("scl-unknown-fc", 52),
        ("scl-unknown-btype", 53),
        ("scl-cyclic-type", 63),
    ]
    assert not odd[1].errors


def test_members_of_a_data_set_reach_into_arrays(odd: tuple[model.Server, Diagnostics]) -> None:
    (data_set,) = odd[0].devices[0].nodes[0].data_sets
    assert [(one.item, one.index, one.component) for one in data_set.members] == [
        ("MHAI1$MX$HA$phsAHar", 2, "cVal$mag$f"),
        ("MHAI1$MX$HA$phsAHar", 1, None),
        ("LLN0$ST$Mod$stVal", None, None),
    ]
    assert {one.domain for one in data_set.members} == {"FUNCTIONAL"}


def test_report_control_blocks_take_their_defaults_and_their_bits_from_the_wire_order(
    odd: tuple[model.Server, Diagnostics],
) -> None:
    plain, many = odd[0].devices[0].nodes[0].reports
    assert (plain.instance_names(), plain.buffered, plain.rpt_id, plain.trg_ops) == (("plain",), True, None, 0b010000)
    assert (many.instance_names(), many.rpt_id, many.trg_ops) == (("many01", "many02", "many03"), "own", 0b000001)
    assert (plain.opt_flds, many.opt_flds) == (0b0000001000, 0b0100000000)
    assert many.clients[0].ied_name == "CLIENT"


def test_values_are_taken_by_literal_by_ordinal_by_group_and_by_element(odd: tuple[model.Server, Diagnostics]) -> None:
    data = DataModel(odd[0])
    assert data.value(data.find("FUNCTIONAL/LLN0.Mod.stVal")) == 3
    assert data.value(data.find("LD0/LLN0.Mod.ctlModel")) == 0
    assert data.value(data.find("LD0/myPTOC1.StrVal.setMag.f [SG]")) == 20.0
    assert data.value(data.find("LD0/MHAI1.HA.phsAHar(2).cVal.mag.f")) == 1.5
    assert data.value(data.find("LD0/MHAI1.HA.points")) == [0, 0, 0, 0]


def test_report_settings_decide_whether_there_is_owner_and_resv_tms(odd: tuple[model.Server, Diagnostics]) -> None:
    data = DataModel(odd[0])
    block = data.value(data.find("LD0/LLN0.plain [BR]"))
    assert isinstance(block, dict)
    assert list(block)[-1] == "Owner"
    assert "ResvTms" not in block
    assert block["RptID"] == "FUNCTIONAL/LLN0$BR$plain"


REFUSED = [
    ("<SCL", "scl-not-xml"),
    ("", "scl-not-xml"),
    ("<html/>", "scl-no-scl"),
    ('<!DOCTYPE SCL [<!ENTITY a "b">]><SCL xmlns="http://www.iec.ch/61850/2003/SCL"/>', "scl-doctype"),
    ('<SCL xmlns="urn:other"/>', "scl-no-scl"),
    ('<SCL xmlns="http://www.iec.ch/61850/2003/SCL"><IED name="A"/></SCL>', "scl-no-server"),
]


@pytest.mark.parametrize(("text", "code"), REFUSED)
def test_what_cannot_be_served_is_refused_with_a_diagnostic(text: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(MappingError) as raised:
        read(written(tmp_path, text))
    assert [finding.code for finding in raised.value.diagnostics] == [code]


LEFT_OUT = [
    (
        'type="CMV" count="4"/>',
        'type="CMV" count="many"/>',
        "scl-bad-count",
        "the size `many` of array `phsAHar` is no number to 1024, nor an attribute with one; left out",
    ),
    (
        '<LN0 lnClass="LLN0" inst="" lnType="LLN0"/>',
        '<LN0 lnClass="LLN0" inst="" lnType="LLN0"><ReportControl name="r" bufTime="soon"/></LN0>',
        "scl-bad-number",
        "bufTime `soon` is no number, 0 is taken",
    ),
    (
        '<LN0 lnClass="LLN0" inst="" lnType="LLN0"/>',
        '<LN0 lnClass="LLN0" inst="" lnType="LLN0"><DataSet name="none"><FCDA ldInst="LD9" fc="ST"/></DataSet></LN0>',
        "scl-empty-data-set",
        "data set `none` has no member that exists",
    ),
    (
        '<BDA name="scaleFactor" bType="FLOAT32"><Val>0.001</Val></BDA><BDA name="offset" bType="FLOAT32"><Val>50</Val></BDA>',
        "",
        "scl-empty-type",
        "DAType `Scaling` has no attributes; left out",
    ),
]


@pytest.mark.parametrize(("sound", "broken", "code", "message"), LEFT_OUT)
def test_a_part_that_is_broken_is_a_warning_and_the_rest_is_served(
    sound: str, broken: str, code: str, message: str, tmp_path: Path
) -> None:
    text = (CASES.parent / "mapping" / "_common" / "meter.icd").read_text(encoding="utf-8")
    assert text.count(sound) == 1
    served, found = read(written(tmp_path, text.replace(sound, broken)))
    assert not found.errors
    assert found.found[-1].code == code
    assert found.found[-1].message == message
    assert [ln.name for ln in served.devices[0].nodes] == ["LLN0", "LPHD1", "MMXU1", "MMTR1", "MHAI1", "GGIO1", "XCBR1"]


def test_a_file_that_is_not_there_is_told_with_the_reason_of_the_operating_system(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as raised:
        read(tmp_path / "none.icd")
    (finding,) = raised.value.diagnostics
    assert (finding.code, finding.message) == ("scl-unreadable", "cannot be read: no such file or directory")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("before", ["", "<!-- a comment -->", " \n" * 40])
def test_a_doctype_is_refused_in_whatever_encoding_the_file_is(encoding: str, before: str, tmp_path: Path) -> None:
    declared = encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    text = f'<?xml version="1.0" encoding="{declared}"?>{before}<!DOCTYPE SCL [<!ENTITY a "b">]><SCL/>'
    path = tmp_path / "file.scd"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(MappingError) as raised:
        read(path)
    assert [finding.code for finding in raised.value.diagnostics] == ["scl-doctype"]


def test_the_place_of_what_is_wrong_is_told_with_its_column(odd: tuple[model.Server, Diagnostics]) -> None:
    lines = (CASES / "oddities.icd").read_text(encoding="utf-8").splitlines()
    placed = [one for one in odd[1] if one.span.length > 1]
    assert placed
    for finding in placed:
        line, span = lines[finding.span.line - 1], finding.span
        shown = line[span.column - 1 : span.column - 1 + span.length]
        assert len(shown) == span.length
        assert shown in finding.message
        assert line.find(shown) == span.column - 1


def test_a_million_elements_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="scl-too-large"):
        read(written(tmp_path, "<SCL>" + "<a/>" * 1_000_000 + "</SCL>"))


def test_an_unknown_ied_is_named_with_the_nearest_ones() -> None:
    with pytest.raises(MappingError, match="did you mean `ODD`"):
        read(CASES / "oddities.icd", "OD")


def test_a_file_without_a_namespace_and_without_a_version_is_of_the_first_edition(tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8").replace(
        ' xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"', ""
    )
    described, found = read(written(tmp_path, text))
    assert (described.edition, found.found) == (Edition.ED1, [])
    block = DataModel(described)
    assert "Owner" not in str(block.value(block.find("MAIN/LLN0.brcbStatus01 [BR]")))


ODD_VALUES = [
    "",
    "x",
    "-1",
    "99999999999999999999",
    "true",
    "a.b",
    "é",
    "$",
    "/",
    "(3)",
    "1e400",
    "NaN",
    " on ",
    "Struct",
    "0",
]


def test_a_file_with_any_fault_is_served_without_it_or_refused_and_never_more() -> None:
    """Structure-aware mutations of the demo's file: elements dropped, doubled, attributes changed or exchanged."""
    rng = random.Random(61850)
    source = etree.parse(DEMO).getroot()
    served = 0
    for _ in range(150):
        root = copy.deepcopy(source)
        for _ in range(rng.choice((1, 2, 8))):
            _mutate(rng, root)
        described = _read_root(root)
        if described is not None:
            data = DataModel(described)
            assert all(data.cache.read(slot) for slot in range(len(data.cache.nodes)))
            served += 1
    assert served > 100


def _mutate(rng: random.Random, root: etree._Element) -> None:
    elements = [one for one in root.iter() if isinstance(one.tag, str)]
    element, other = rng.choice(elements), rng.choice(elements)
    parent = element.getparent()
    kind = rng.randrange(4)
    if kind == 0 and parent is not None:
        parent.remove(element)
    elif kind == 1 and parent is not None:
        parent.append(copy.deepcopy(element))
    elif kind == 2 and element.attrib:
        element.set(rng.choice(list(element.attrib)), rng.choice(ODD_VALUES))
    elif element.attrib and other.attrib:
        element.set(rng.choice(list(element.attrib)), rng.choice([str(one) for one in other.attrib.values()]))


def _read_root(root: etree._Element) -> model.Server | None:
    with tempfile.NamedTemporaryFile(suffix=".icd") as file:
        file.write(etree.tostring(root))
        file.flush()
        try:
            return read(Path(file.name))[0]
        except MappingError:
            return None


@pytest.mark.conformance("MDL-3")
def test_names_that_are_too_long_are_said_and_served(tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8")
    long_ld = text.replace('"SCALE"', f'"{"S" * 61}"')
    described, found = read(written(tmp_path, long_ld))
    line = next(number for number, one in enumerate(long_ld.splitlines(), 1) if "S" * 61 in one)
    said = f"the logical device `DEMO{'S' * 61}` has 65 characters, clients expect at most 64"
    assert [(one.code, one.span.line, one.message) for one in found] == [("scl-long-name", line, said)]
    assert "S" * 61 in [one.inst for one in described.devices]
    long_do = text.replace('name="SPCSO1"', 'name="SPCSO12345678"')
    _, found = read(written(tmp_path, long_do))
    assert "the data object `SPCSO12345678` has 13 characters, clients expect at most 12" in [
        one.message for one in found
    ]


@pytest.mark.conformance("MDL-3")
def test_a_reference_as_a_whole_has_a_limit_by_edition() -> None:
    def below(edition: Edition, name: str) -> list[str]:
        attribute = models.struct(name, FC.ST, models.leaf("f", BasicType.FLOAT32))
        node = LogicalNodeType("GGIO", "GGIO", (models.data_object("Ind1", "SPS", attribute),))
        return [message for _, message in long_names(models.server(models.node(node), edition=edition))]

    whole = f"DEMOLD0/GGIO1.Ind1.{'x' * 109}.f"
    assert below(Edition.ED2, "x" * 108) == []
    assert below(Edition.ED2, "x" * 109) == [f"the reference `{whole}` has 130 characters, clients expect at most 129"]
    item = f"GGIO1$FC$Ind1${'x' * 49}$f"
    assert below(Edition.ED1, "x" * 48) == []
    assert below(Edition.ED1, "x" * 49) == [f"the MMS name `{item}` has 65 characters, clients expect at most 64"]
