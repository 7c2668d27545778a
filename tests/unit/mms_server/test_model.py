"""The data model: slots, names, control blocks and initial values."""

from dataclasses import replace

import pytest

from bus.quality import UtcTime
from mapping.diagnostics import MappingError
from mapping.model import FC, BasicType, Edition, EnumType, LogicalNodeType, Override, ReportSettings
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.models import leaf


@pytest.fixture(scope="module")
def model() -> DataModel:
    return DataModel(models.demo())


def test_every_node_is_followed_by_what_stands_below_it(model: DataModel) -> None:
    nodes = model.cache.nodes
    for slot, node in enumerate(nodes):
        below = [slot + offset for offset in node.offsets]
        expected = [slot + 1]
        for child in node.children:
            expected.append(expected[-1] + child.size)
        assert below == expected[:-1] or node.kind is not None
        assert node.size == 1 + sum(child.size for child in node.children)
        assert [nodes[one].up for one in below] == list(node.offsets)


def test_logical_nodes_of_one_type_share_one_layout(model: DataModel) -> None:
    nodes = model.domains[b"DEMOLD0"].nodes
    assert nodes[b"MMXU1"].layout is nodes[b"MMXU2"].layout
    assert nodes[b"MMXU1"].base != nodes[b"MMXU2"].base
    assert nodes[b"MMXU1"].layout is not nodes[b"GGIO1"].layout


def test_equal_defaults_are_encoded_once(model: DataModel) -> None:
    first, second = (model.find(f"LD0/MMXU{number}.PhV.phsA.q") for number in (1, 2))
    assert model.cache.octets[first] is model.cache.octets[second]


def test_a_minus_zero_stays_one_among_zeros() -> None:
    node = models.node(models.MMXU, values={"TotW.mag.f": -0.0})
    model = DataModel(models.server(node))
    assert model.cache.read(model.find("LD0/MMXU1.TotW.mag.f")).hex() == "87050880000000"
    assert model.cache.read(model.find("LD0/MMXU1.PhV.phsA.cVal.mag.f")).hex() == "87050800000000"


# ---------------------------------------------------------------------- references


def test_a_reference_leads_to_a_slot_and_back(model: DataModel) -> None:
    for slot in range(len(model.cache.nodes)):
        reference = model.reference(slot)
        assert model.find(str(reference)) == slot


def test_the_ld_may_be_named_by_inst_or_in_full_and_the_fc_left_out(model: DataModel) -> None:
    slot = model.slot(b"DEMOLD0", b"MMXU1$MX$TotW$mag$f")
    assert model.find("LD0/MMXU1.TotW.mag.f") == slot
    assert model.find("DEMOLD0/MMXU1.TotW.mag.f [MX]") == slot
    assert model.find("LD0/MMXU1") == model.slot(b"DEMOLD0", b"MMXU1")
    assert model.find("LD0/MMXU1 [MX]") == model.slot(b"DEMOLD0", b"MMXU1$MX")
    assert str(model.reference(slot)) == "DEMOLD0/MMXU1.TotW.mag.f [MX]"


def test_an_element_of_an_array_has_a_reference_though_no_mms_name(model: DataModel) -> None:
    slot = model.find("LD0/MMXU1.HA.phsAHar(2).cVal.mag.f")
    assert str(model.reference(slot)) == "DEMOLD0/MMXU1.HA.phsAHar(2).cVal.mag.f [MX]"
    assert model.node(slot).suffix is None


UNKNOWN = [
    ("LD1/MMXU1", "no logical device in `LD1/MMXU1` is called `LD1`; did you mean `LD0`?"),
    ("MMXU1.TotW", "no logical device in `MMXU1.TotW` is called `MMXU1.TotW`"),
    ("LD0/MMXU3.TotW", "no logical node in `LD0/MMXU3.TotW` is called `MMXU3`; did you mean `MMXU2` or `MMXU1`?"),
    ("LD0/MMXU1.TotWatt", "no name in `LD0/MMXU1.TotWatt` is called `TotWatt`; did you mean `TotW`?"),
    ("LD0/MMXU1.TotW.mag.g", "no name in `LD0/MMXU1.TotW.mag.g` is called `g`"),
    ("LD0/MMXU1.TotW.mgg.f", "no name in `LD0/MMXU1.TotW.mgg.f` is called `mgg`; did you mean `mag`?"),
    ("LD0/MMXU1.TotW.mag [ST]", "no such functional constraint in `LD0/MMXU1.TotW.mag [ST]`"),
    ("LD0/MMXU1.TotW.mag [CF]", "no name in `LD0/MMXU1.TotW.mag [CF]` is called `mag`"),
    ("LD0/MMXU1.HA.phsAHar(4).q", "`phsAHar` in `LD0/MMXU1.HA.phsAHar(4).q` has elements 0..3"),
    ("LD0/MMXU1.TotW(0)", "`TotW` in `LD0/MMXU1.TotW(0)` has no elements"),
    ("LD0/MMXU1.TotW", "`LD0/MMXU1.TotW` is there under MX, CF, DC: say which, as `LD0/MMXU1.TotW [MX]`"),
]


@pytest.mark.parametrize(("reference", "text"), UNKNOWN)
def test_a_reference_that_leads_nowhere_is_told_the_nearest_names(model: DataModel, reference: str, text: str) -> None:
    with pytest.raises(KeyError) as unknown:
        model.find(reference)
    assert unknown.value.args == (text,)


# ---------------------------------------------------------------------- what a start finds


def test_what_the_file_does_not_say_is_on_ok_dimensionless_zero_or_empty(model: DataModel) -> None:
    found = {
        reference: model.value(model.find(f"LD0/{reference}"))
        for reference in (
            "LLN0.Mod.stVal",
            "LLN0.Health.stVal",
            "MMXU1.TotW.units.SIUnit",
            "MMXU1.TotW.units.multiplier",
            "MMXU1.TotW.q",
            "MMXU1.TotW.t",
            "MMXU1.TotW.d",
            "GGIO1.SPCSO1.ctlModel",
            "GGIO1.Ind1.stVal",
        )
    }
    assert found == {
        "LLN0.Mod.stVal": 1,
        "LLN0.Health.stVal": 1,
        "MMXU1.TotW.units.SIUnit": 1,
        "MMXU1.TotW.units.multiplier": 0,
        "MMXU1.TotW.q": 0,
        "MMXU1.TotW.t": UtcTime(0, 0),
        "MMXU1.TotW.d": "",
        "GGIO1.SPCSO1.ctlModel": 1,
        "GGIO1.Ind1.stVal": False,
    }


def test_an_enumeration_starts_at_its_first_member() -> None:
    kind = EnumType("AnyKind", {"later": 4, "first": 2})
    ln_type = LogicalNodeType("G", "GGIO", (models.status("IntIn1", BasicType.ENUM, kind),))
    model = DataModel(models.server(models.node(ln_type)))
    assert model.value(model.find("LD0/GGIO1.IntIn1.stVal")) == 4


@pytest.mark.parametrize(
    ("ordinals", "octets"), [((0, 127), "850108"), ((-128,), "850108"), ((128,), "850110"), ((40_000,), "850120")]
)
def test_an_enumeration_is_as_wide_as_its_ordinals_need(ordinals: tuple[int, ...], octets: str) -> None:
    kind = EnumType("AnyKind", {f"literal{ordinal}": ordinal for ordinal in ordinals})
    ln_type = LogicalNodeType("G", "GGIO", (models.status("IntIn1", BasicType.ENUM, kind),))
    model = DataModel(models.server(models.node(ln_type)))
    assert model.node(model.find("LD0/GGIO1.IntIn1.stVal")).description.hex() == octets


def test_a_setting_stands_under_sg_with_the_active_group_and_under_se_with_the_first() -> None:
    model = DataModel(models.server(models.lln0(active_group=2)))
    assert model.value(model.find("LD0/LLN0.StrVal.setMag.f [SG]")) == 2.5
    assert model.value(model.find("LD0/LLN0.StrVal.setMag.f [SE]")) == 1.5
    own = replace(models.lln0(active_group=3), overrides={"StrVal.setMag.f": Override({3: 30.0, 1: 10.0})})
    model = DataModel(models.server(own))
    assert model.value(model.find("LD0/LLN0.StrVal.setMag.f [SG]")) == 30.0
    assert model.value(model.find("LD0/LLN0.StrVal.setMag.f [SE]")) == 10.0


def test_an_override_reaches_the_element_of_an_array_that_it_names() -> None:
    model = DataModel(models.server(models.node(models.MMXU, values={"HA.phsAHar(3).cVal.mag.f": 9.5})))
    elements = model.value(model.find("LD0/MMXU1.HA.phsAHar"))
    assert isinstance(elements, list)
    assert [one["cVal"]["mag"]["f"] for one in elements] == [0.0, 0.0, 0.0, 9.5]


def test_values_that_no_type_holds_are_brought_to_the_nearest_that_it_does() -> None:
    members = (
        leaf("i", BasicType.INT8, FC.ST, values={0: 300}),
        leaf("u", BasicType.INT8U, FC.ST, values={0: -1}),
        leaf("e", BasicType.ENUM, FC.ST, values={0: -129}),
        leaf("s", BasicType.VIS_STRING_32, FC.ST, values={0: "x" * 40}),
    )
    ln_type = LogicalNodeType("G", "GGIO", (models.data_object("Odd", "X", *members),))
    model = DataModel(models.server(models.node(ln_type)))
    assert model.value(model.find("LD0/GGIO1.Odd")) == {"i": 127, "u": 0, "e": -128, "s": "x" * 32}


def test_arrays_of_arrays_past_all_bounds_are_refused_at_once() -> None:
    nested = models.measured_value("deep")
    for level in range(12):
        nested = models.data_object(f"level{level}", "X", nested, count=1000)
    ln_type = LogicalNodeType("G", "GGIO", (nested,))
    with pytest.raises(MappingError, match=r"attributes, expected at most 2000000"):
        DataModel(models.server(models.node(ln_type)))
    wide = LogicalNodeType("G", "GGIO", (models.data_object("wide", "X", models.complex_value("a", 600), count=200),))
    with pytest.raises(MappingError, match=r"IED `DEMO` has 480000 distinct attributes, expected at most 250000"):
        DataModel(models.server(models.node(wide)))


# ---------------------------------------------------------------------- control blocks

URCB = "RptID RptEna Resv DatSet ConfRev OptFlds BufTm SqNum TrgOps IntgPd GI"
BRCB = "RptID RptEna DatSet ConfRev OptFlds BufTm SqNum TrgOps IntgPd GI PurgeBuf EntryID TimeofEntry"
WITH_BOTH = ReportSettings(resv_tms=True, owner=True)
WITH_NEITHER = ReportSettings(resv_tms=False, owner=False)


@pytest.mark.conformance("RP-1")
@pytest.mark.parametrize(
    ("edition", "settings", "urcb", "brcb"),
    [
        (Edition.ED2, None, "", " ResvTms"),
        (Edition.ED21, WITH_BOTH, " Owner", " ResvTms Owner"),
        (Edition.ED2, WITH_NEITHER, "", ""),
        (Edition.ED1, None, "", ""),
        (Edition.ED1, WITH_BOTH, "", ""),
    ],
)
def test_report_control_blocks_have_their_attributes_in_the_one_order(
    edition: Edition, settings: ReportSettings | None, urcb: str, brcb: str
) -> None:
    model = DataModel(models.demo(edition, settings))
    for reference, expected in (("LLN0.events02 [RP]", URCB + urcb), ("LLN0.history01 [BR]", BRCB + brcb)):
        node = model.node(model.find(f"LD0/{reference}"))
        assert b" ".join(child.name for child in node.children).decode() == expected


OTHER_BLOCKS = [
    ("LLN0.SGCB", "NumOfSG ActSG EditSG CnfEdit LActTm"),
    ("LLN0.logged", "LogEna LogRef DatSet OldEntrTm NewEntrTm OldEntr NewEntr TrgOps IntgPd"),
    ("LLN0.fast", "GoEna GoID DatSet ConfRev NdsCom DstAddress MinTime MaxTime FixedOffs"),
    ("LLN0.waves", "SvEna MsvID DatSet ConfRev SmpRate OptFlds SmpMod DstAddress noASDU"),
]


@pytest.mark.parametrize(("reference", "expected"), OTHER_BLOCKS)
def test_other_control_blocks_have_theirs(model: DataModel, reference: str, expected: str) -> None:
    node = model.node(model.find(f"LD0/{reference}"))
    assert b" ".join(child.name for child in node.children).decode() == expected


def test_instances_of_an_indexed_report_are_numbered_and_one_that_is_not_stands_alone() -> None:
    reports = (
        models.report("many", buffered=False, instances=12),
        models.report("one", buffered=False, instances=5, indexed=False),
    )
    model = DataModel(models.server(models.lln0(data_sets=(), reports=reports)))
    names = [child.name.decode() for child in model.node(model.find("LD0/LLN0 [RP]")).children]
    assert names == [f"many{number:02d}" for number in range(1, 13)] + ["one"]


def test_a_report_control_block_starts_as_the_file_has_it(model: DataModel) -> None:
    value = model.value(model.find("LD0/LLN0.events02"))
    assert value == {
        "RptID": "DEMOLD0/LLN0$RP$events02",
        "RptEna": False,
        "Resv": False,
        "DatSet": "DEMOLD0/LLN0$measured",
        "ConfRev": 7,
        "OptFlds": 0b0111110110,
        "BufTm": 100,
        "SqNum": 0,
        "TrgOps": 0b011001,
        "IntgPd": 5000,
        "GI": False,
    }


def test_a_data_set_has_the_members_that_exist_in_order(model: DataModel) -> None:
    unknown = replace(models.MEASURED.members[0], item="MMXU9$MX$TotW")
    past_the_end = replace(models.MEASURED.members[2], index=4)
    members = (unknown, *models.MEASURED.members, past_the_end)
    lln0 = models.lln0(data_sets=(replace(models.MEASURED, members=members),))
    described = models.demo()
    nodes = (lln0, *described.devices[0].nodes[1:])
    model = DataModel(replace(described, devices=(replace(described.devices[0], nodes=nodes),)))
    data_set = model.domains[b"DEMOLD0"].data_sets[b"LLN0$measured"]
    assert [str(model.reference(member.slot)) for member in data_set.members] == [
        "DEMOLD0/MMXU1.TotW [MX]",
        "DEMOLD0/MMXU1.TotW.mag.f [MX]",
        "DEMOLD0/MMXU1.HA.phsAHar(2).cVal.mag [MX]",
        "DEMOLD0/GGIO1 [ST]",
    ]


def test_leaves_can_be_listed_by_functional_constraint(model: DataModel) -> None:
    references = [str(model.reference(slot)) for slot in model.leaves(FC.DC)]
    assert references == [
        "DEMOLD0/MMXU1.TotW.d [DC]",
        "DEMOLD0/MMXU2.TotW.d [DC]",
        "DEMOLD0/GGIO1.AnIn1.d [DC]",
    ]
    assert sum(1 for _ in model.leaves()) == sum(node.kind is not None for node in model.cache.nodes)
