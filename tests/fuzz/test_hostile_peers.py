"""A server under peers that mean harm, or merely err: it lives, answers others at once, and gives its memory back.

The number of inputs is FUZZ_EXAMPLES (a few thousand in the suite, `make fuzz` for more); the seed is FUZZ_SEED.
"""

import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutated
from tests.support.client import CONNECT, CR, Client, request
from tests.support.engine_client import index, name, read_request, select, tlv, variable
from tests.support.running import Gateway, running
from tests.support.wire_data import bits, boolean, octets, single, text, unsigned

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "3000"))
SEED = int(os.environ.get("FUZZ_SEED", "61850"))
HANG_S = 5.0  # on a noisy machine; what it really is stands in the output
LD = "DEMOMAIN"
POWER = read_request(variable(LD, "MMXU1$MX$TotW"))
URCB, BRCB = "LLN0$RP$urcbMeasurements01", "LLN0$BR$brcbEnergies01"


def writes(*pairs: tuple[str, bytes]) -> bytes:
    named = tlv(0xA0, b"".join(variable(LD, item) for item, _ in pairs))
    return named + tlv(0xA0, b"".join(data for _, data in pairs))


REQUESTS = [
    (0x80, b"\x01"),
    (0x82, b""),
    (0xA1, tlv(0xA0, tlv(0x80, b"\x09")) + tlv(0xA1, tlv(0x80, b""))),
    (0xA1, tlv(0xA0, tlv(0x80, b"\x00")) + tlv(0xA1, tlv(0x81, LD.encode())) + tlv(0x82, b"MMXU1$MX$TotW")),
    (0xA4, POWER),
    (0xA4, read_request(variable(LD, "MMXU1"), variable(LD, "LLN0$BR"), variable("NOLD", "X"))),
    (0xA4, read_request(variable(LD, "MMXU1$MX$TotW", select(index(1), tlv(0x81, b"q"))))),
    (0xA4, tlv(0xA1, tlv(0xA1, name(LD, "LLN0$Energies")))),
    (0xA5, writes(("LLN0$DC$NamPlt$d", text("x")), ("MMXU1$MX$TotW$mag$f", single(1)))),
    (0xA5, writes((f"{URCB}$RptEna", boolean(True)), (f"{URCB}$GI", boolean(True)), (f"{URCB}$IntgPd", unsigned(1)))),
    (0xA5, writes((f"{URCB}$RptEna", boolean(False)), (f"{URCB}$TrgOps", bits("011111")), (f"{URCB}$DatSet", text("")))),
    (0xA5, writes((f"{BRCB}$EntryID", octets(bytes(8))), (f"{BRCB}$PurgeBuf", boolean(True)), (f"{BRCB}$ResvTms", unsigned(1)))),
    (0xA5, tlv(0xA1, name(LD, "LLN0$Energies")) + tlv(0xA0, single(1))),
    (0xA6, tlv(0xA0, name(LD, "MMXU1"))),
    (0xAB, name(LD, "LLN0$fuzz") + tlv(0xA0, variable(LD, "MMXU1$MX$TotW$mag$f"))),
    (0xAB, tlv(0x82, b"mine") + tlv(0xA0, variable(LD, "MMXU1$MX$TotW") * 3)),
    (0xAC, name(LD, "LLN0$Energies")),
    (0xAD, tlv(0xA1, name(LD, "LLN0$fuzz"))),
    (0xBF48, b"\xa0\x03\x19\x01x"),
    (0xBF4D, b""),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("fuzz")
    with running(
        folder, "serve", "hw_configs/demo/demo.icd", "--port", "0", "--state-dir", str(folder / "state")
    ) as one:
        yield one
        assert "Traceback" not in one.log.read_text()


class Healthy:
    """A client that reads all the while, and knows how long it ever had to wait."""

    def __init__(self, port: int) -> None:
        self._client = Client(port, timeout_s=10)
        assert self._client.associate()[0] == 0x0E
        self._ended = threading.Event()
        self.longest_s = 0.0
        self.answers = 0
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._ended.wait(0.005):
            started = time.monotonic()
            if not self._client.ask(0xA4, POWER):
                return
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            self.answers += 1

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)
        assert self._client.ask(0xA4, POWER)
        self.answers += 1
        self._client.close()


@pytest.fixture
def healthy(server: Gateway) -> Iterator[Healthy]:
    one = Healthy(server.mms_port)
    yield one
    one.end()
    assert one.answers > 0
    print(f"longest wait {one.longest_s * 1000:.0f} ms over {one.answers} answers")
    assert one.longest_s < HANG_S


def resident_kb(server: Gateway) -> int:
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("the server is gone")


def send(port: int, *pieces: bytes, wait_s: float = 0.02) -> None:
    """Connect, send, read what comes for a moment, and drop the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        try:
            for piece in pieces:
                sock.sendall(piece)
            sock.settimeout(wait_s)
            while sock.recv(65_536):
                pass
        except (TimeoutError, ConnectionError):
            return


def tpkt(tpdu: bytes, length: int | None = None) -> bytes:
    return b"\x03\x00" + ((len(tpdu) + 4 if length is None else length) & 0xFFFF).to_bytes(2, "big") + tpdu


def test_requests_that_are_nearly_right(server: Gateway, healthy: Healthy) -> None:
    chance, before = random.Random(SEED), resident_kb(server)
    client: Client | None = None
    for number in range(EXAMPLES):
        if client is None:
            client = Client(server.mms_port, timeout_s=0.3)
            assert client.associate()[0] == 0x0E
        service, body = chance.choice(REQUESTS)
        plain = request(service, body, number % 100) if service < 0x100 else request(0xA4, POWER)
        pdu_at = plain.index(b"\xa0", 20)
        pdu = mutated(plain[pdu_at:], chance) if chance.random() < 0.3 else plain[pdu_at : pdu_at + 2]
        octets_sent = (
            _framed(pdu) if pdu != plain[pdu_at : pdu_at + 2] else request(service & 0xFF, mutated(body, chance))
        )
        try:
            client.socket.sendall(octets_sent)
            answer = client.tsdu()
        except TimeoutError:
            continue  # what is no request of ours is owed no answer
        except ConnectionError:
            answer = b""
        if not answer:
            client.close()
            client = None
    if client is not None:
        client.close()
    assert resident_kb(server) - before < 32 * 1024


def _framed(pdu: bytes) -> bytes:
    ppdu = tlv(0x61, tlv(0x30, b"\x02\x01\x03" + tlv(0xA0, pdu)))
    tpdu = b"\x02\xf0\x80\x01\x00\x01\x00" + ppdu
    return tpkt(tpdu)


def test_associations_that_are_nearly_right(server: Gateway, healthy: Healthy) -> None:
    chance, before = random.Random(SEED + 1), resident_kb(server)
    spdu = CONNECT[7:]
    for _ in range(EXAMPLES // 10):
        match chance.randrange(4):
            case 0:
                pieces = [tpkt(mutated(CR[4:], chance))]
            case 1:
                pieces = [CR, tpkt(b"\x02\xf0\x80" + mutated(spdu, chance))]
            case 2:
                at = CONNECT.index(b"\x31\x81")
                pieces = [CR, tpkt(CONNECT[4:at] + mutated(CONNECT[at:], chance))]
            case _:
                at = CONNECT.index(b"\x60\x55")
                pieces = [CR, tpkt(CONNECT[4:at] + mutated(CONNECT[at:], chance))]
        send(server.mms_port, *pieces)
    assert resident_kb(server) - before < 32 * 1024


@pytest.mark.parametrize(
    "octets_sent",
    [
        pytest.param(b"\x03\x00\x00\x00", id="length 0"),
        pytest.param(b"\x03\x00\x00\x06\xff\xff", id="length 6"),
        pytest.param(b"\x03\x00\xff\xff" + bytes(100), id="a length that never comes"),
        pytest.param(b"\x04\x00\x00\x10" + bytes(12), id="version 4"),
        pytest.param(tpkt(b"\x00\xe0"), id="LI 0"),
        pytest.param(tpkt(b"\xff\xe0\x00\x00\x00\x01\x00"), id="LI past the end"),
        pytest.param(tpkt(b"\x26\xe0\x00\x00\x00\x01\x00\xc2\x20" + bytes(32)), id="a long selector"),
        pytest.param(CR + CR, id="CR twice"),
        pytest.param(CR + tpkt(b"\x02\xf0\x00") * 5000, id="empty fragments without end"),
        pytest.param(CR + (tpkt(b"\x02\xf0\x00" + b"\x0d" * 60_000)) * 40, id="fragments beyond any limit"),
        pytest.param(CR + tpkt(b"\x02\xf0\x00x") * 3000, id="fragments of one octet"),
        pytest.param(CR + tpkt(b"\x02\xf0\x80" + b"\x0d\xff\xff\xff"), id="an SPDU that lies about its length"),
        pytest.param(CR + CONNECT + CONNECT, id="CONNECT twice"),
        pytest.param(request(0xA4, POWER), id="a request before anything"),
        pytest.param(CR + request(0xA4, POWER), id="a request before the association"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200), id="TLS on a plain port"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
    ],
)
def test_octets_that_no_peer_could_mean(server: Gateway, healthy: Healthy, octets_sent: bytes) -> None:
    send(server.mms_port, octets_sent, wait_s=0.1)


def test_connections_in_a_burst_and_churn(server: Gateway, healthy: Healthy) -> None:
    held = []
    for _ in range(300):
        sock = socket.create_connection(("127.0.0.1", server.mms_port), timeout=5)
        held.append(sock)
    for sock in held:
        sock.close()
    for _ in range(300):
        send(server.mms_port, CR, wait_s=0.0001)
    fresh = Client(server.mms_port)
    started = time.monotonic()
    assert fresh.associate()[0] == 0x0E
    assert time.monotonic() - started < 3
    fresh.close()


def test_a_handshake_octet_by_octet_takes_nobodys_place(server: Gateway, healthy: Healthy) -> None:
    slow = [socket.create_connection(("127.0.0.1", server.mms_port), timeout=5) for _ in range(80)]
    for at in range(len(CR)):
        for sock in slow:
            try:
                sock.sendall(CR[at : at + 1])
            except ConnectionError:
                continue
    fresh = Client(server.mms_port)
    assert fresh.associate()[0] == 0x0E
    fresh.close()
    for sock in slow:
        sock.close()


def test_clients_that_do_not_read_their_reports(server: Gateway, healthy: Healthy) -> None:
    before, silent = resident_kb(server), []
    for number in range(1, 5):
        client = Client(server.mms_port)
        assert client.associate()[0] == 0x0E
        block = f"LLN0$RP$urcbMeasurements{number:02d}"
        pairs = [
            (f"{block}$TrgOps", bits("000011")),
            (f"{block}$IntgPd", unsigned(1)),
            (f"{block}$RptEna", boolean(True)),
        ]
        client.socket.sendall(request(0xA5, writes(*pairs)))
        whole = request(0xA4, read_request(variable(LD, "MMXU1")))
        client.socket.settimeout(0.2)
        silent.append(client)
        with suppress(TimeoutError):
            client.socket.sendall(whole * 20_000)
    time.sleep(1)
    for client in silent:
        client.close()
    assert resident_kb(server) - before < 32 * 1024
