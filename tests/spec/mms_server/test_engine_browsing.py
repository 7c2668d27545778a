"""GetNameList, GetVariableAccessAttributes, Identify, Status, and what a request that means nothing gets (ISO 9506-2)."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.model import Edition, LogicalDevice, Server
from mms_server.acsi.clients import Client
from mms_server.engine import Engine, Waiting
from mms_server.model.tree import DataModel
from mms_server.services import registry
from tests.support import mms_oracle, models
from tests.support.engine_client import CLOCK, IDENTITY, EngineClient, name, read_request, tlv, variable

LD = "DEMOLD0"
VARIABLES, LISTS, JOURNALS, DOMAINS = 0, 2, 8, 9
NON_EXISTENT = {"error": {"error": {"access": 2}}}
MODEL = DataModel(models.demo())
FUZZED = DataModel(models.demo())  # one that octets may change


@pytest.fixture
def client() -> EngineClient:
    return EngineClient(MODEL)


def all_names() -> list[str]:
    """Every variable's name, from the layouts and not from paging."""
    nodes = MODEL.domains[LD.encode()].nodes.values()
    return sorted((one.name + suffix).decode() for one in nodes for suffix in one.layout.by_suffix)


@pytest.mark.conformance("SRV-1")
def test_the_domains_are_the_logical_devices_in_octet_order() -> None:
    devices = tuple(LogicalDevice(inst, f"DEMO{inst}", (models.node(models.MMXU),)) for inst in ("b", "B", "A1", "A"))
    client = EngineClient(DataModel(Server("DEMO", "AP1", Edition.ED2, devices)))
    assert client.names(DOMAINS, None) == ["DEMOA", "DEMOA1", "DEMOB", "DEMOb"]


@pytest.mark.conformance("SRV-2")
def test_names_are_those_of_logical_nodes_constraints_and_all_below_but_not_below_arrays(client: EngineClient) -> None:
    names = client.names(VARIABLES, LD)
    assert names == all_names()
    assert [one for one in names if "$" not in one] == ["GGIO1", "LLN0", "MMXU1", "MMXU2"]
    assert [one for one in names if one.startswith("MMXU1$MX$")] == [
        "MMXU1$MX$HA",
        "MMXU1$MX$HA$phsAHar",
        "MMXU1$MX$PhV",
        *(
            f"MMXU1$MX$PhV$phs{phase}{part}"
            for phase in "AB"
            for part in ("", "$cVal", "$cVal$ang", "$cVal$ang$f", "$cVal$mag", "$cVal$mag$f", "$q", "$t")
        ),
        "MMXU1$MX$TotW",
        "MMXU1$MX$TotW$mag",
        "MMXU1$MX$TotW$mag$f",
        "MMXU1$MX$TotW$q",
        "MMXU1$MX$TotW$t",
    ]


@pytest.mark.conformance("SRV-2")
@settings(max_examples=25)
@given(st.integers(128, 2000))
def test_the_union_of_pages_is_complete_and_without_duplicates_for_any_pdu(max_pdu: int) -> None:
    assert EngineClient(MODEL, max_pdu).names(VARIABLES, LD) == all_names()


def test_a_page_says_whether_more_follows_in_either_case() -> None:
    client = EngineClient(MODEL, 512)
    request = tlv(0xA0, tlv(0x80, bytes((VARIABLES,)))) + tlv(0xA1, tlv(0x81, LD.encode()))
    assert client.octets(0xA1, request).endswith(bytes.fromhex("810101"))
    last = request + tlv(0x82, all_names()[-1].encode())
    assert client.octets(0xA1, last).endswith(bytes.fromhex("a000810100"))


odd_names = st.one_of(
    st.sampled_from(all_names()),
    st.sampled_from(all_names()).flatmap(lambda one: st.integers(0, len(one)).map(lambda length: one[:length])),
    st.sampled_from(all_names()).flatmap(lambda one: st.sampled_from([one + "\0", one + "$", one + "z", one + "!"])),
    st.text("AGLMXU$019 z", max_size=12),
)


@settings(max_examples=200)
@given(odd_names.filter(bool))
def test_a_page_resumes_behind_the_place_of_a_name_even_if_that_has_vanished(after: str) -> None:
    page = EngineClient(MODEL).name_page(VARIABLES, LD, after.encode())
    assert page["names"] == [one for one in all_names() if one > after]


@pytest.mark.conformance("SRV-3")
def test_lists_and_journals_are_listed_and_what_there_is_none_of_is_an_empty_list(client: EngineClient) -> None:
    assert client.names(LISTS, LD) == ["LLN0$measured"]
    assert client.names(JOURNALS, LD) == ["LLN0$LD0"]
    for object_class in (1, 3, 4, 5, 6, 7, 9, 10, 11, 12):
        assert client.names(object_class, LD) == []
    for object_class in (VARIABLES, LISTS, JOURNALS):
        assert client.names(object_class, None) == []


def test_an_association_has_no_names_of_its_own_yet(client: EngineClient) -> None:
    body = tlv(0xA0, tlv(0x80, bytes((LISTS,)))) + tlv(0xA1, tlv(0x82, b""))
    assert client.ask(0xA1, body) == {"names": [], "more_follows": False}


@pytest.mark.conformance("SRV-N1a")
@pytest.mark.parametrize("domain", ["DEMOLD1", "demold0", "", "DEMOLD0\0", "D" * 30_000, "../DEMOLD0"])
def test_the_names_of_an_unknown_domain_are_an_error(client: EngineClient, domain: str) -> None:
    assert client.name_page(VARIABLES, domain) == NON_EXISTENT


# ---------------------------------------------------------------------- types


def test_a_type_is_told_at_any_level_up_to_the_whole_logical_node(client: EngineClient) -> None:
    single = {"floating_point": {"format_width": 32, "exponent_width": 8}}
    magnitude = {"structure": {"components": [{"name": "f", "type": single}]}}
    assert client.type_of(LD, "MMXU1$MX$TotW$mag$f") == {"deletable": False, "type": single}
    assert client.type_of(LD, "MMXU1$MX$TotW$mag") == {"deletable": False, "type": magnitude}
    array = client.type_of(LD, "MMXU1$MX$HA$phsAHar")["type"]["array"]
    assert array["count"] == 4
    assert [one["name"] for one in array["element"]["structure"]["components"]] == ["cVal", "q", "t"]
    whole = client.type_of(LD, "LLN0")["type"]["structure"]["components"]
    assert [one["name"] for one in whole] == ["ST", "SP", "SG", "SE", "BR", "RP", "LG", "GO", "MS"]


@pytest.mark.conformance("MDL-2")
def test_each_basic_type_has_the_mms_type_of_the_standard(client: EngineClient) -> None:
    members = client.type_of(LD, "GGIO1$ST$All")["type"]["structure"]["components"]
    told = {one["name"]: one["type"] for one in members}
    address = told.pop("PhyComAddr")["structure"]["components"]
    assert [(one["name"], one["type"]) for one in address] == [
        ("Addr", {"octet_string": 6}),
        ("PRIORITY", {"unsigned": 8}),
        ("VID", {"unsigned": 16}),
        ("APPID", {"unsigned": 16}),
    ]
    assert told == {
        "BOOLEAN": {"boolean": None},
        "INT8": {"integer": 8},
        "INT16": {"integer": 16},
        "INT24": {"integer": 24},
        "INT32": {"integer": 32},
        "INT64": {"integer": 64},
        "INT128": {"integer": 128},
        "INT8U": {"unsigned": 8},
        "INT16U": {"unsigned": 16},
        "INT24U": {"unsigned": 24},
        "INT32U": {"unsigned": 32},
        "FLOAT32": {"floating_point": {"format_width": 32, "exponent_width": 8}},
        "FLOAT64": {"floating_point": {"format_width": 64, "exponent_width": 11}},
        "Enum": {"integer": 8},
        "Dbpos": {"bit_string": 2},
        "Tcmd": {"bit_string": 2},
        "Check": {"bit_string": -2},
        "Quality": {"bit_string": -13},
        "Timestamp": {"utc_time": None},
        "VisString32": {"visible_string": -32},
        "VisString64": {"visible_string": -64},
        "VisString65": {"visible_string": -65},
        "VisString129": {"visible_string": -129},
        "VisString255": {"visible_string": -255},
        "Octet64": {"octet_string": -64},
        "Unicode255": {"mms_string": -255},
        "ObjRef": {"visible_string": -129},
        "Currency": {"visible_string": -3},
        "EntryID": {"octet_string": 8},
        "EntryTime": {"binary_time": True},
        "TrgOps": {"bit_string": -6},
        "OptFlds": {"bit_string": -10},
        "SvOptFlds": {"bit_string": -5},
        "LogOptFlds": {"bit_string": -1},
    }


@pytest.mark.conformance("SRV-N1b")
@pytest.mark.parametrize(
    "unknown", [name("NONE", "MMXU1"), name(LD, "MMXU1$MX$none"), name(LD, ""), tlv(0x80, b"MMXU1"), tlv(0x82, b"x")]
)
def test_the_type_of_an_unknown_variable_is_an_error(client: EngineClient, unknown: bytes) -> None:
    assert client.ask(0xA6, tlv(0xA0, unknown)) == NON_EXISTENT


def test_a_type_that_does_not_fit_the_pdu_is_an_error_and_never_cut() -> None:
    client = EngineClient(MODEL, 512)
    assert client.type_of(LD, "GGIO1") == {"error": {"error": {"resource": 0}}}
    assert client.type_of(LD, "GGIO1$ST$Ind1")["deletable"] is False


# ---------------------------------------------------------------------- the server itself


def test_identify_and_status_answer(client: EngineClient) -> None:
    assert client.ask(0x82, b"") == {"vendor": "maker", "model": "model", "revision": "1.0"}
    assert client.ask(0x80, b"\x01") == {"logical": 0, "physical": 0}


def test_the_services_announced_are_those_that_answer() -> None:
    names = {service.name: service.bit for service in registry.by_tag().values() if not service.needs_files}
    assert names == {
        "status": 0,
        "getNameList": 1,
        "identify": 2,
        "read": 4,
        "write": 5,
        "getVariableAccessAttributes": 6,
        "defineNamedVariableList": 11,
        "getNamedVariableListAttributes": 12,
        "readJournal": 65,
        "deleteNamedVariableList": 13,
    }
    reports_and_conclude = {79, 83}
    assert Engine(MODEL, IDENTITY).supported() == frozenset({*names.values(), *reports_and_conclude})


# ---------------------------------------------------------------------- requests that mean nothing

INVALID_ARGUMENT = {"reject": {"confirmed_request": 4}}
INVALID_PDU = {"reject": {"pdu_error": 1}}


@pytest.mark.conformance("ASS-N6")
@pytest.mark.parametrize("tag", [0xA3, 0x9F48, 0xBF4D, 0xBF40, 0xA7])
def test_a_service_that_is_not_there_is_unrecognized(client: EngineClient, tag: int) -> None:
    assert client.ask(tag, read_request(variable(LD, "MMXU1"))) == {"reject": {"confirmed_request": 1}}


MEANINGLESS = [
    (0x80, b"", INVALID_ARGUMENT),  # Status without its boolean
    (0x82, b"\x01", INVALID_ARGUMENT),  # Identify with an argument
    (0xA1, b"", INVALID_ARGUMENT),
    (0xA4, b"", INVALID_ARGUMENT),
    (0xA6, b"", INVALID_ARGUMENT),
    (0xAC, b"", INVALID_ARGUMENT),
    (0xA1, tlv(0xA0, tlv(0x81, b"x")) + tlv(0xA1, tlv(0x80, b"")), INVALID_ARGUMENT),  # a class by name
    (0xA1, tlv(0xA0, tlv(0x80, b"\x0d")) + tlv(0xA1, tlv(0x80, b"")), INVALID_ARGUMENT),  # class 13
    (0xA1, tlv(0xA0, tlv(0x80, b"\xff")) + tlv(0xA1, tlv(0x80, b"")), INVALID_PDU),  # class -1
    (0xA1, tlv(0xA0, tlv(0x80, b"\x00")) + tlv(0xA1, tlv(0x83, b"")), INVALID_ARGUMENT),  # an unknown scope
    (0xA1, tlv(0xA0, tlv(0x80, b"\x00")) + tlv(0xA1, tlv(0x80, b"")) + tlv(0x83, b"x"), INVALID_ARGUMENT),
    (0xA1, tlv(0xA0, tlv(0x80, b"\x00")), INVALID_PDU),  # no scope
    (0xA4, tlv(0x80, b"\x01"), INVALID_PDU),  # no specification
    (0xA4, tlv(0xA2, b""), INVALID_ARGUMENT),
    (0xA4, tlv(0xA1, tlv(0xA0, b"")), INVALID_ARGUMENT),  # an empty list
    (0xA4, tlv(0xA1, tlv(0xA2, b"")), INVALID_ARGUMENT),
    (0xA4, b"\xa1\x7f", INVALID_PDU),  # cut off
    (0xA6, tlv(0xA0, tlv(0xA1, b"")), INVALID_PDU),
    (0xA6, tlv(0xA0, name(LD, "MMXU1")) + b"\x00", INVALID_ARGUMENT),
    (0xA6, tlv(0xA1, b""), {"error": {"error": {"access": 1}}}),  # by address
    (0xAC, name(LD, "LLN0$measured") + b"\x00", INVALID_ARGUMENT),
]


@pytest.mark.conformance("ASS-N6", "ASS-N7")
@pytest.mark.parametrize(("tag", "body", "answer"), MEANINGLESS)
def test_an_argument_that_means_nothing_is_rejected_with_its_invoke_id(
    client: EngineClient, tag: int, body: bytes, answer: Any
) -> None:
    assert client.ask(tag, body) == answer


REQUESTS = [
    (0xA1, tlv(0xA0, tlv(0x80, b"\x00")) + tlv(0xA1, tlv(0x81, LD.encode())) + tlv(0x82, b"MMXU1")),
    (0xA4, read_request(variable(LD, "MMXU1$MX$HA$phsAHar", bytes.fromhex("a00a8101013005a003810101")))),
    (0xA6, tlv(0xA0, name(LD, "MMXU1"))),
    (0xAC, name(LD, "LLN0$measured")),
]


@settings(max_examples=300)
@given(st.sampled_from(REQUESTS), st.data())
def test_no_request_however_broken_goes_unanswered(request: tuple[int, bytes], draw: st.DataObject) -> None:
    tag, whole = request
    broken = bytearray(whole[: draw.draw(st.integers(0, len(whole)))])
    for _ in range(draw.draw(st.integers(0, 4)) if broken else 0):
        broken[draw.draw(st.integers(0, len(broken) - 1))] = draw.draw(st.integers(0, 255))
    EngineClient(FUZZED, 2000).ask(tag, bytes(broken))  # the oracle reads the answer


@settings(max_examples=200)
@given(st.sampled_from(sorted(registry.by_tag())), st.binary(max_size=60))
def test_no_octets_at_all_go_unanswered(tag: int, body: bytes) -> None:
    EngineClient(FUZZED, 2000).ask(tag, body)


def test_the_invoke_id_comes_back_at_either_end_of_its_range() -> None:
    engine = Engine(MODEL, IDENTITY)
    client = Client(1, "127.0.0.1:50000", 512)
    engine.opened(client)
    for invoke_id in (0, 127, 128, 0xFFFFFFFF):
        for tag, body in ((0x82, b""), (0x99, b""), (0xA6, tlv(0xA0, name("X", "Y")))):
            answer = engine.request(client, invoke_id, tag, body, CLOCK.now())
            assert answer is not None
            assert not isinstance(answer, Waiting)
            (content,) = mms_oracle.decode(answer).values()
            assert content["invoke_id"] == invoke_id


def test_what_a_client_held_is_free_when_it_has_gone() -> None:
    engine = Engine(MODEL, IDENTITY)
    clients = [Client(number, f"127.0.0.1:{number}", 65_000) for number in range(3)]
    for one in clients:
        engine.opened(one)
    engine.closed(clients[1], CLOCK.now())
    engine.closed(clients[1], CLOCK.now())
    assert engine.clients == (clients[0], clients[2])
