"""A small client over TCP, made of hand-written octets: associates, asks, and tells what came back."""

import socket
from pathlib import Path
from typing import Any

from tests.support import mms_oracle
from tests.support.engine_client import Report, tlv, write_body

VECTOR = Path(__file__).parents[1] / "vectors" / "associate" / "libiec61850.hex"
CR, CONNECT = (bytes.fromhex(line) for line in VECTOR.read_text(encoding="ascii").split())
PASSWORD_PARTS = (bytes.fromhex("8a0207808b03520301"), 0xAC)


class Client:
    """One TCP connection to a server on this machine."""

    def __init__(self, port: int, timeout_s: float = 5.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        self.early: list[bytes] = []

    def associate(self, password: bytes | None = None) -> bytes:
        """Associate as libIEC61850 does; the last TSDU of the answer, empty if the server closed."""
        self.socket.sendall(CR)
        if not self.tsdu():
            return b""
        self.socket.sendall(CONNECT if password is None else with_password(password))
        return self.tsdu()

    def tsdu(self) -> bytes:
        """The next TSDU, put together; empty if the connection ended."""
        whole = b""
        while True:
            header = self._exactly(4)
            if len(header) < 4:
                return b""
            tpdu = self._exactly(int.from_bytes(header[2:], "big") - 4)
            if tpdu[1] != 0xF0:
                return tpdu
            whole += tpdu[3:]
            if tpdu[2] & 0x80:
                return whole

    def _exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            try:
                more = self.socket.recv(count - len(octets))
            except ConnectionResetError:
                return b""
            if not more:
                return b""
            octets += more
        return octets

    def post(self, service: int, body: bytes, invoke_id: int = 1) -> None:
        """Send one confirmed request."""
        self.socket.sendall(request(service, body, invoke_id))

    def ask(self, service: int, body: bytes, invoke_id: int = 1) -> bytes:
        """Send one confirmed request; the answering TSDU."""
        self.post(service, body, invoke_id)
        return self.tsdu()

    def write(self, domain: str, *pairs: tuple[str, bytes]) -> list[Any]:
        """The results of a Write; reports that come before the answer wait in `early`."""
        self.post(0xA5, write_body(domain, *pairs))
        while True:
            tsdu = self.tsdu()
            if not tsdu:
                raise ConnectionError("the server has closed")
            pdu = mms(tsdu)
            if pdu[0] != 0xA3:
                results = mms_oracle.decode(pdu)["response"]["service"]["write"]
                return [one.get("failure", "success") for one in results]
            self.early.append(pdu)

    def report(self) -> Report | None:
        """The next report; None if the connection has ended."""
        if self.early:
            return Report.of(self.early.pop(0))
        tsdu = self.tsdu()
        return Report.of(mms(tsdu)) if tsdu else None

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()


def mms(tsdu: bytes) -> bytes:
    """The MMS PDU in a TSDU of an association: behind give-tokens, data transfer and the presentation's data values."""
    position = 4
    for _ in range(2):  # user data, presentation data values
        position += 2 if tsdu[position + 1] < 0x80 else 2 + (tsdu[position + 1] & 0x7F)
    position += 3  # the context
    position += 2 if tsdu[position + 1] < 0x80 else 2 + (tsdu[position + 1] & 0x7F)
    return tsdu[position:]


def request(service: int, body: bytes, invoke_id: int = 1) -> bytes:
    """One confirmed request as TPKT."""
    pdu = tlv(0xA0, bytes((2, 1, invoke_id)) + tlv(service, body))
    ppdu = tlv(0x61, tlv(0x30, b"\x02\x01\x03" + tlv(0xA0, pdu)))
    tpdu = b"\x02\xf0\x80\x01\x00\x01\x00" + ppdu
    return b"\x03\x00" + (len(tpdu) + 4).to_bytes(2, "big") + tpdu


def with_password(password: bytes) -> bytes:
    """The association request with a password in its AARQ; every length around it grows."""
    fixed, tag = PASSWORD_PARTS
    extra = fixed + tlv(tag, tlv(0x80, password))
    at = CONNECT.index(bytes.fromhex("be2f"))
    changed = bytearray(CONNECT[:at] + extra + CONNECT[at:])
    grown = len(extra)
    for length_at in _length_octets(CONNECT):
        changed[length_at] += grown
    changed[2:4] = len(changed).to_bytes(2, "big")
    return bytes(changed)


def _length_octets(octets: bytes) -> list[int]:
    """Where the lengths around the AARQ's end stand: SPDU, user data, CP, normal mode, user data, PDV, single type, AARQ."""
    marks = ("0db2", "c19c", "3181", "a281", "615e", "305c020101a057", "a05760", "6055a1")
    places = [octets.index(bytes.fromhex(mark)) + 1 for mark in marks]
    for index in (2, 3):
        places[index] += 1  # these lengths are in their long form, 81 xx
    return places
