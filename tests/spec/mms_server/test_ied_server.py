"""The library over real sockets on this machine, as an embedding program and its clients see it."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bus.quality import UtcTime
from mapping.diagnostics import MappingError
from mms_server import Client, IedServer
from mms_server.network.sockets import KEEPALIVE_IDLE_S, set_keepalive
from tests.support.client import Client as Peer
from tests.support.client import request
from tests.support.engine_client import read_request, variable
from tests.support.running import until

DEMO = Path(__file__).parents[3] / "hw_configs" / "demo" / "demo.icd"
READ_POWER = read_request(variable("DEMOMAIN", "MMXU1$MX$TotW$mag$f"))


@pytest.fixture
def server() -> Iterator[IedServer]:
    made = IedServer.from_scl(DEMO)
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


def peer_of(server: IedServer) -> Peer:
    assert server.port is not None
    return Peer(server.port)


def test_an_update_is_what_a_client_reads(server: IedServer) -> None:
    server.update({"MAIN/MMXU1.TotW.mag.f": 4.5, "DEMOMAIN/MMXU1.TotW.t": 1_700_000_000.5})
    peer = peer_of(server)
    assert peer.associate()[0] == 0x0E
    assert peer.ask(0xA4, READ_POWER).endswith(bytes.fromhex("a107870508 40900000".replace(" ", "")))
    assert server.get_value("MAIN/MMXU1.TotW.mag") == {"f": 4.5}
    peer.close()


def test_an_update_is_whole_or_not_at_all(server: IedServer) -> None:
    with pytest.raises(TypeError, match=r"TotVA\.mag\.f.*expected a number"):
        server.update({"MAIN/MMXU1.TotW.mag.f": 1.0, "MAIN/MMXU1.TotVA.mag.f": "one"})
    assert server.get_value("MAIN/MMXU1.TotW.mag.f") == 0.0


def test_an_unknown_reference_is_told_the_nearest_names(server: IedServer) -> None:
    with pytest.raises(KeyError, match="TotW"):
        server.update({"MAIN/MMXU1.TotWW.mag.f": 1.0})


def test_handles_and_references_may_be_mixed_and_times_come_in_three_forms(server: IedServer) -> None:
    power = server.handle("MAIN/MMXU1.TotW.mag.f")
    stamp = server.handle("MAIN/MMXU1.TotW.t")
    for when in (1_700_000_000.25, datetime.fromtimestamp(1_700_000_000.25, UTC), UtcTime(1_700_000_000_250_000_000)):
        server.update([(power, 2.0), (stamp, when), ("MAIN/MMXU1.Hz.mag.f", 50.0)])
        shown = server.get_value(stamp)
        assert isinstance(shown, UtcTime)
        assert shown.ns == 1_700_000_000_250_000_000
    assert (server.get_value(power), server.get_value("MAIN/MMXU1.Hz.mag.f")) == (2.0, 50.0)


@pytest.mark.conformance("ASS-N1")
def test_a_password_admits_who_knows_it_and_nobody_else() -> None:
    server = IedServer.from_scl(DEMO)
    server.authenticate(password="testpw")
    server.start(port=0, host="127.0.0.1")
    try:
        right, wrong, none = (peer_of(server) for _ in range(3))
        assert bytes.fromhex("a203020100") in right.associate(b"testpw")
        assert bytes.fromhex("a203020101") in wrong.associate(b"testpx")
        assert bytes.fromhex("a203020101") in none.associate()
        assert wrong.tsdu() == none.tsdu() == b""
        assert right.ask(0xA4, READ_POWER)
    finally:
        server.stop()
    for peer in (right, wrong, none):
        peer.close()


def test_an_authenticator_learns_who_asks_and_listeners_who_came_and_went() -> None:
    seen: list[tuple[str, bytes | None]] = []
    came: list[bool] = []
    gone = threading.Event()

    async def decide(client: Client, password: bytes | None) -> bool:
        seen.append((client.address.partition(":")[0], password))
        return True

    def listen(_client: Client, connected: bool) -> None:
        came.append(connected)
        if not connected:
            gone.set()

    server = IedServer.from_scl(DEMO)
    server.authenticate(decide)
    server.on_connection(listen)
    server.start(port=0, host="127.0.0.1")
    try:
        peer = peer_of(server)
        peer.associate(b"any")
        peer.close()
        assert gone.wait(5)
        assert (seen, came) == ([("127.0.0.1", b"any")], [True, False])
    finally:
        server.stop()


def test_a_port_that_is_taken_is_an_os_error_and_the_server_can_start_elsewhere(server: IedServer) -> None:
    other = IedServer.from_scl(DEMO)
    with pytest.raises(OSError, match="in use"):
        other.start(port=server.port or 0, host="127.0.0.1")
    other.start(port=0, host="127.0.0.1")
    other.stop()


def test_a_server_serves_within_a_callers_own_loop() -> None:
    async def run() -> bytes:
        async with IedServer.from_scl(DEMO).serving(port=0, host="127.0.0.1") as server:
            with closing(peer_of(server)) as peer:
                return await asyncio.to_thread(peer.associate)

    assert asyncio.run(run())[0] == 0x0E


@pytest.mark.conformance("ASS-3", "ASS-N3")
def test_one_client_too_many_is_refused_and_the_others_do_not_notice(server: IedServer) -> None:
    peers = [peer_of(server) for _ in range(32)]
    assert all(peer.associate()[:1] == b"\x0e" for peer in peers)
    surplus = peer_of(server)
    assert surplus.associate() == b""
    assert peers[0].ask(0xA4, READ_POWER)
    for peer in (*peers, surplus):
        peer.close()


@pytest.mark.conformance("ASS-N8")
def test_a_burst_far_beyond_the_agreed_number_is_answered_whole_and_in_order(server: IedServer) -> None:
    peer = peer_of(server)
    peer.associate()
    peer.socket.sendall(b"".join(request(0xA4, READ_POWER, number % 100) for number in range(2000)))
    answers = [peer.tsdu() for _ in range(2000)]
    assert [answer[answer.index(b"\xa1") + 4] for answer in answers] == [number % 100 for number in range(2000)]
    peer.close()


def test_a_client_that_does_not_read_costs_the_others_nothing(server: IedServer) -> None:
    slow, quick = peer_of(server), peer_of(server)
    slow.associate()
    quick.associate()
    whole = read_request(variable("DEMOMAIN", "MMXU1"))
    flood = request(0xA4, whole) * 200_000
    slow.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        slow.socket.sendall(flood)
    started = time.monotonic()
    assert quick.ask(0xA4, READ_POWER)
    assert time.monotonic() - started < 5
    slow.close()
    quick.close()


def test_octets_that_are_no_association_end_only_their_own_connection(server: IedServer) -> None:
    good = peer_of(server)
    good.associate()
    for octets in (b"GET / HTTP/1.1\r\n\r\n", b"\x03\x00\x00\x03", bytes(7), b"\x03\x00\xff\xff" + bytes(64)):
        bad = peer_of(server)
        bad.socket.sendall(octets)
        if octets[:2] != b"\x03\x00" or octets[3] == 3:
            assert bad.tsdu() == b""
        bad.close()
    assert good.ask(0xA4, READ_POWER)
    good.close()


def test_a_file_that_is_no_scl_is_a_mapping_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "x.icd").write_text("<html/>", encoding="utf-8")
    with pytest.raises(MappingError, match=r"x\.icd:1:1: error\[scl-no-scl\]"):
        IedServer.from_scl(tmp_path / "x.icd")


def keepalive_s(port: int) -> list[float]:
    """For each connection that `port` of this machine has accepted: when its keepalive is due; infinity without one."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    accepted = [row for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"]
    timers = [row[5].split(":") for row in accepted]
    return [int(due, 16) / 100 if kind == "02" else float("inf") for kind, due in timers]


@pytest.mark.conformance("ASS-N4")
def test_every_accepted_connection_is_kept_alive_so_that_a_peer_that_vanishes_is_noticed(server: IedServer) -> None:
    assert server.port is not None
    peers = [peer_of(server), peer_of(server)]
    for peer in peers:
        assert peer.associate()
    assert len(keepalive_s(server.port)) == 2
    until(lambda: max(keepalive_s(server.port or 0)) <= KEEPALIVE_IDLE_S, 10)  # an answer may still be unacknowledged
    for peer in peers:
        peer.close()


def test_a_peer_that_vanishes_is_noticed_within_ten_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as theirs, socket.create_connection(theirs.getsockname()) as sock:
        set_keepalive(sock)
        idle, interval, probes = (
            sock.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert idle + interval * probes < 10
