"""Read, and the variables that it names: one answer for each request, decoded by the oracle (ISO 9506-2, Read)."""

import struct
from typing import Any

import pytest

from mapping.model import LogicalNodeType
from mms_server.model.tree import DataModel
from tests.support import models
from tests.support.engine_client import (
    ALL_ELEMENTS,
    CLOCK,
    EngineClient,
    bare,
    component,
    index,
    index_range,
    name,
    read_request,
    select,
    tlv,
    values,
    variable,
)

LD = "DEMOLD0"
ARRAY = "MMXU1$MX$HA$phsAHar"
GOOD = "0000000000000"
NO_TIME = bytes(8)
RESOURCE = {"error": {"error": {"resource": 0}}}
NON_EXISTENT = {"failure": 10}


def single(value: float) -> bytes:
    """A FLOAT32 as the oracle gives it: the exponent width, then the number."""
    return b"\x08" + struct.pack(">f", value)


def harmonic(magnitude: float) -> list[Any]:
    """A CMV whose magnitude is set."""
    return [[[single(magnitude)], [single(0)]], GOOD, NO_TIME]


@pytest.fixture
def client() -> EngineClient:
    client = EngineClient(DataModel(models.demo()))
    find = client.engine.model.find
    magnitudes = [(find(f"LD0/MMXU1.HA.phsAHar({number}).cVal.mag.f"), 10.0 + number) for number in range(4)]
    client.engine.commit(magnitudes, CLOCK.now())
    return client


# ---------------------------------------------------------------------- by name


@pytest.mark.conformance("SRV-4", "SRV-8")
def test_every_name_that_is_listed_can_be_read_and_has_a_type(client: EngineClient) -> None:
    for item in client.names(0, LD):
        (result,) = client.read(LD, item)
        assert "success" in result
        assert agrees(result["success"], client.type_of(LD, item)["type"])


def agrees(data: Any, described: Any) -> bool:
    """True if a Data is of the type described, down to the leaves."""
    ((kind, value),), ((described_kind, shape),) = data.items(), described.items()
    if kind != described_kind:
        return False
    match kind:
        case "structure":
            parts = shape["components"]
            return len(parts) == len(value) and all(
                agrees(one, part["type"]) for one, part in zip(value, parts, strict=True)
            )
        case "array":
            return shape["count"] == len(value) and all(agrees(one, shape["element"]) for one in value)
        case "bit_string" | "octet_string" | "visible_string":
            return bool(len(value) == shape or (shape < 0 and len(value) <= -shape))
        case _:
            return True


def test_a_leaf_an_object_and_a_whole_functional_constraint_are_read(client: EngineClient) -> None:
    results = client.read(LD, "MMXU1$MX$TotW$mag$f", "MMXU1$MX$TotW", "MMXU1$CF", "MMXU1")
    leaf, total, configured, whole = values(results)
    assert leaf == single(42.5)
    assert total == [[single(42.5)], GOOD, NO_TIME]
    assert configured == [[[1, 0], 0]]  # TotW: units, db
    assert [len(part) for part in whole] == [3, 1, 1]  # MX: TotW PhV HA; CF: TotW; DC: TotW
    assert whole[1] == configured


@pytest.mark.conformance("SRV-5")
def test_results_come_in_the_order_of_the_request(client: EngineClient) -> None:
    items = [f"MMXU{number}$MX$TotW$mag$f" for number in (2, 1, 2, 2, 1)]
    assert values(client.read(LD, *items)) == [single(value) for value in (0, 42.5, 0, 0, 42.5)]


@pytest.mark.conformance("SRV-N1c")
@pytest.mark.parametrize(
    ("domain", "item"),
    [
        ("DEMOLD1", "MMXU1$MX$TotW"),
        ("demold0", "MMXU1$MX$TotW"),
        (LD, "MMXU3$MX$TotW"),
        (LD, "MMXU1$ST$TotW"),
        (LD, "MMXU1$XX"),
        (LD, "MMXU1$MX$totw"),
        (LD, "MMXU1$MX$TotW$"),
        (LD, "MMXU1$MX$HA$phsAHar$cVal"),
        (LD, "MMXU1.TotW"),
        (LD, "MMXU1/$MX"),
        (LD, "MMXU1\0"),
        (LD, "MMXÜ1"),
        (LD, ""),
        (LD, "$"),
        ("", ""),
        (LD, "A" * 20_000),
    ],
)
def test_an_unknown_name_fails_alone_and_never_the_request(client: EngineClient, domain: str, item: str) -> None:
    known = variable(LD, "MMXU1$MX$TotW$mag$f")
    answer = client.ask(0xA4, read_request(known, variable(domain, item), known))
    good = {"success": {"floating_point": single(42.5)}}
    assert answer["results"] == [good, NON_EXISTENT, good]


def test_names_of_the_vmd_or_the_association_are_no_variables_here(client: EngineClient) -> None:
    vmd, own = (tlv(0x30, tlv(0xA0, tlv(scope, b"MMXU1$MX"))) for scope in (0x80, 0x82))
    by_address = tlv(0x30, tlv(0xA1, tlv(0x80, b"\x01")))
    assert client.ask(0xA4, read_request(vmd, own, by_address))["results"] == [
        NON_EXISTENT,
        NON_EXISTENT,
        {"failure": 9},
    ]


def test_a_control_object_reads_as_what_was_last_written_to_it(client: EngineClient) -> None:
    (oper,) = values(client.read(LD, "GGIO1$CO$SPCSO1$Oper"))
    assert oper == [False, [0, b""], 0, NO_TIME, False, "00"]


# ---------------------------------------------------------------------- inside arrays

SELECTIONS = [
    (index(2), harmonic(12)),
    (select(index(2), component("cVal")), harmonic(12)[0]),
    (select(index(2), select(component("cVal"), component("mag"))), [single(12)]),
    (select(index(2), component("cVal$mag$f")), single(12)),
    (index_range(1, 2), [harmonic(11), harmonic(12)]),
    (index_range(3, 1), [harmonic(13)]),
    (ALL_ELEMENTS, [harmonic(10), harmonic(11), harmonic(12), harmonic(13)]),
    (select(ALL_ELEMENTS, component("q")), [GOOD] * 4),
    (select(index_range(0, 2), component("q"), component("t")), [[GOOD, NO_TIME], [GOOD, NO_TIME]]),
    (index(0) + index(3), [harmonic(10), harmonic(13)]),
    (
        select(index(1), select(component("cVal"), component("ang"), component("mag")), component("q")),
        [[[single(0)], [single(11)]], GOOD],
    ),
]


@pytest.mark.conformance("SRV-12")
@pytest.mark.parametrize(("access", "expected"), SELECTIONS)
def test_elements_ranges_and_components_are_selected(client: EngineClient, access: bytes, expected: Any) -> None:
    assert bare(client.select(LD, ARRAY, access)["success"]) == expected


def test_a_component_is_selected_of_a_structure_too(client: EngineClient) -> None:
    assert bare(client.select(LD, "MMXU1$MX$TotW", component("q"))["success"]) == GOOD
    access = select(component("HA"), select(component("phsAHar"), select(index(3), component("q"))))
    assert bare(client.select(LD, "MMXU1$MX", access)["success"]) == GOOD


@pytest.mark.conformance("SRV-12")
@pytest.mark.parametrize(
    ("item", "access"),
    [
        (ARRAY, index(4)),
        (ARRAY, index(1 << 31)),
        (ARRAY, index_range(0, 0)),
        (ARRAY, index_range(3, 2)),
        (ARRAY, component("cVal")),
        (ARRAY, select(index(0), component("none"))),
        (ARRAY, select(ALL_ELEMENTS, component("none"))),
        (ARRAY, index(0) + index(4)),
        ("MMXU1$MX$TotW", index(0)),
        ("MMXU1$MX$TotW", ALL_ELEMENTS),
        ("MMXU1$MX$TotW", component("")),
        ("MMXU1$MX$TotW$q", component("q")),
        ("MMXU1$MX$TotW$q", index(0)),
    ],
)
def test_a_selection_of_what_there_is_not_is_non_existent(client: EngineClient, item: str, access: bytes) -> None:
    assert client.select(LD, item, access) == NON_EXISTENT


# ---------------------------------------------------------------------- data sets and specifications


@pytest.mark.conformance("DS-1")
def test_a_data_set_is_read_member_by_member_in_its_order(client: EngineClient) -> None:
    answer = client.ask(0xA4, tlv(0xA1, tlv(0xA1, name(LD, "LLN0$measured"))))
    total, magnitude, element, states = values(answer["results"])
    assert (total, magnitude) == ([[single(42.5)], GOOD, NO_TIME], single(42.5))
    assert element == [single(12)]
    assert states[0] == [False, GOOD, NO_TIME]


@pytest.mark.conformance("DS-N1")
@pytest.mark.parametrize(
    "unknown",
    [name(LD, "LLN0$none"), name("NONE", "LLN0$measured"), tlv(0x80, b"measured"), tlv(0x82, b"measured")],
)
def test_an_unknown_data_set_is_an_error_of_the_whole_request(client: EngineClient, unknown: bytes) -> None:
    missing = {"error": {"error": {"access": 2}}}
    assert client.ask(0xA4, tlv(0xA1, tlv(0xA1, unknown))) == missing
    assert client.ask(0xAC, unknown) == missing


@pytest.mark.conformance("DS-1")
def test_the_attributes_of_a_data_set_name_its_members_and_the_part_of_an_array(client: EngineClient) -> None:
    answer = client.ask(0xAC, name(LD, "LLN0$measured"))
    assert answer["deletable"] is False
    items = [one["specification"]["name"]["domain"] for one in answer["variables"]]
    assert items == [
        {"domain": LD, "item": "MMXU1$MX$TotW"},
        {"domain": LD, "item": "MMXU1$MX$TotW$mag$f"},
        {"domain": LD, "item": ARRAY},
        {"domain": LD, "item": "GGIO1$ST"},
    ]
    assert [one.get("access") for one in answer["variables"]] == [
        None,
        None,
        [
            {
                "select": {
                    "chosen": {"index": 2},
                    "within": [{"select": {"chosen": {"component": "cVal"}, "within": [{"component": "mag"}]}}],
                }
            }
        ],
        None,
    ]


@pytest.mark.parametrize("wanted", [tlv(0xA0, variable(LD, "MMXU1$MX$TotW$q")), tlv(0xA1, name(LD, "LLN0$measured"))])
def test_the_specification_is_repeated_only_if_asked_for(client: EngineClient, wanted: bytes) -> None:
    plain = client.ask(0xA4, tlv(0xA1, wanted))
    declined = client.ask(0xA4, tlv(0x80, b"\x00") + tlv(0xA1, wanted))
    asked = client.ask(0xA4, tlv(0x80, b"\x01") + tlv(0xA1, wanted))
    assert "specification" not in plain
    assert declined == plain
    assert asked["results"] == plain["results"]
    listed = asked["specification"]
    assert listed in (
        {"list": [{"specification": {"name": {"domain": {"domain": LD, "item": "MMXU1$MX$TotW$q"}}}}]},
        {"name": {"domain": {"domain": LD, "item": "LLN0$measured"}}},
    )


# ---------------------------------------------------------------------- memory and room


def test_a_repeated_request_is_compiled_once_and_answered_with_what_is_true_now(client: EngineClient) -> None:
    model = client.engine.model
    slot = model.find("LD0/MMXU1.TotW.mag.f")
    for value in (1.0, 2.0, 3.0):
        client.engine.commit([(slot, value)], CLOCK.now())
        assert values(client.read(LD, "MMXU1$MX$TotW$mag$f", "MMXU1$MX$TotW")) == [
            single(value),
            [[single(value)], GOOD, NO_TIME],
        ]
    assert len(model.plans) == 1


def test_requests_that_differ_each_time_do_not_fill_the_memory(client: EngineClient) -> None:
    plans = client.engine.model.plans
    for number in range(3000):
        client.octets(0xA4, read_request(variable(LD, f"X{number:04d}" + "x" * 2000)))
    assert 0 < len(plans) < 1100
    before = len(plans)
    client.octets(0xA4, read_request(variable(LD, "X" * 9000)))
    assert len(plans) == before


@pytest.mark.conformance("SRV-5")
def test_an_answer_is_sent_to_the_last_octet_that_fits_and_refused_beyond() -> None:
    model = DataModel(models.demo())
    items = ["MMXU1"] * 3
    whole = len(EngineClient(model).octets(0xA4, read_request(*(variable(LD, item) for item in items))))
    assert len(EngineClient(model, whole).read(LD, *items)) == 3
    assert EngineClient(model, whole - 1).ask(0xA4, read_request(*(variable(LD, item) for item in items))) == RESOURCE


def test_a_short_request_cannot_ask_for_more_than_a_machine_holds() -> None:
    nested = models.complex_value("inner", count=30)
    for level in range(2):
        nested = models.data_object(f"level{level}", "X", nested, count=20)
    described = models.server(models.node(LogicalNodeType("G", "GGIO", (nested,))))
    client = EngineClient(DataModel(described))
    many = b"".join([select(ALL_ELEMENTS, component("level0"))] * 2000)
    assert client.ask(0xA4, read_request(variable(LD, "GGIO1$MX$level1", many))) == RESOURCE
    assert client.ask(0xA4, read_request(*[variable(LD, "GGIO1")] * 500)) == RESOURCE
