"""Mod, carried out by the server itself, and Beh after it (IEC 61850-7-4, Mod and Beh)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mms_server import AddCause, ControlAction, IedServer
from mms_server import Client as ServerClient
from tests.support.client import Client as Peer
from tests.support.client import mms
from tests.support.engine_client import read_request, variable
from tests.support.mms_oracle import decode
from tests.support.wire_data import bits, boolean, integer, octets, structure, unsigned

DEMO = Path(__file__).parents[4] / "hw_configs" / "demo" / "demo.icd"
TIME = b"\x91\x08" + bytes(8)
ON, BLOCKED, TEST, TEST_BLOCKED, OFF = range(1, 6)
GOOD, TESTED, INVALID = "0000000000000", "0000000000010", "0100000000000"


@pytest.fixture
def server() -> Iterator[IedServer]:
    made = IedServer.from_scl(DEMO)
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


@pytest.fixture
def peer(server: IedServer) -> Iterator[Peer]:
    assert server.port is not None
    one = Peer(server.port)
    assert one.associate()[0] == 0x0E
    yield one
    one.close()


def operate(peer: Peer, item: str, value: bytes, *, test: bool = False) -> Any:
    origin = structure(integer(3), octets(b""))
    (result,) = peer.write(
        "DEMOIO", (f"{item}$Oper", structure(value, origin, unsigned(1), TIME, boolean(test), bits("00")))
    )
    return result


def causes(peer: Peer) -> list[int]:
    """The AddCauses that came before the answers."""
    said = [decode(pdu)["unconfirmed"]["report"]["results"][-1]["success"]["structure"] for pdu in peer.early]
    peer.early.clear()
    return [one[-1]["integer"] for one in said]


def quality_of(peer: Peer, item: str) -> str:
    answer = decode(mms(peer.ask(0xA4, read_request(variable("DEMOIO", item)))))
    return str(answer["response"]["service"]["read"]["results"][0]["success"]["bit_string"])


@pytest.mark.conformance("SRV-10")
@pytest.mark.parametrize(
    ("mode", "shown", "real", "test"),
    [
        (ON, GOOD, "success", 3),
        (BLOCKED, GOOD, 3, 3),
        (TEST, TESTED, 3, "success"),
        (TEST_BLOCKED, TESTED, 3, "success"),
        (OFF, INVALID, 3, 3),
    ],
)
def test_a_client_sets_the_mode_and_beh_follows_with_its_effects(
    server: IedServer, peer: Peer, mode: int, shown: str, real: Any, test: Any
) -> None:
    assert operate(peer, "LLN0$CO$Mod", integer(mode)) == "success"
    values = [
        server.get_value(f"IO/{ln}.{name}.stVal") for ln, name in (("LLN0", "Mod"), ("LLN0", "Beh"), ("GGIO1", "Beh"))
    ]
    assert values == [mode] * 3
    assert server.get_value("IO/LLN0.Mod.q") == 0
    assert server.get_value("IO/LLN0.Mod.t").ns > 1_700_000_000_000_000_000  # type: ignore[attr-defined]
    assert quality_of(peer, "GGIO1$ST$SPCSO1$q") == shown
    assert operate(peer, "GGIO1$CO$SPCSO1", boolean(True)) == real
    assert operate(peer, "GGIO1$CO$SPCSO1", boolean(True), test=True) == test
    assert set(causes(peer)) == {AddCause.BLOCKED_BY_MODE}
    assert operate(peer, "LLN0$CO$Mod", integer(ON)) == "success"  # whatever the mode was
    assert quality_of(peer, "GGIO1$ST$SPCSO1$q") == GOOD


@pytest.mark.conformance("SRV-10")
def test_a_mode_that_there_is_not_is_refused(server: IedServer, peer: Peer) -> None:
    assert [operate(peer, "LLN0$CO$Mod", integer(value)) for value in (0, 6)] == [11, 11]
    assert operate(peer, "LLN0$CO$Mod", integer(TEST), test=True) == 3
    assert causes(peer) == [AddCause.BLOCKED_BY_MODE]
    assert server.get_value("IO/LLN0.Beh.stVal") == ON


def test_a_program_may_decide_on_the_mode_and_then_it_carries_it_out(server: IedServer, peer: Peer) -> None:
    asked: list[object] = []
    server.on_check(
        "IO/LLN0.Mod", lambda _client, _reference, action: action.value != OFF or AddCause.NO_ACCESS_AUTHORITY
    )
    assert operate(peer, "LLN0$CO$Mod", integer(OFF)) == 3
    assert causes(peer) == [AddCause.NO_ACCESS_AUTHORITY]

    def carry_out(_client: ServerClient, reference: str, action: ControlAction) -> bool:
        asked.append((reference, action.value))
        return True

    server.on_control("IO/LLN0.Mod", carry_out)
    assert operate(peer, "LLN0$CO$Mod", integer(TEST)) == "success"
    assert (asked, server.get_value("IO/LLN0.Mod.stVal")) == ([("DEMOIO/LLN0.Mod", TEST)], ON)


def test_the_mode_of_an_ld_without_oper_cannot_be_set(peer: Peer) -> None:
    answer = decode(mms(peer.ask(0xA4, read_request(variable("DEMOMAIN", "LLN0$CO$Mod$Oper")))))
    assert answer["response"]["service"]["read"]["results"] == [{"failure": 10}]
