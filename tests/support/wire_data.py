"""Data as a client writes them, made without the server's encoder."""

import struct

from tests.support.engine_client import tlv


def boolean(value: bool) -> bytes:
    return bytes((0x83, 1, value))


def integer(value: int) -> bytes:
    return tlv(0x85, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def unsigned(value: int) -> bytes:
    return tlv(0x86, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=value < 0))


def single(value: float) -> bytes:
    return b"\x87\x05\x08" + struct.pack(">f", value)


def text(value: str) -> bytes:
    return tlv(0x8A, value.encode("latin-1"))


def octets(value: bytes) -> bytes:
    return tlv(0x89, value)


def bits(value: str) -> bytes:
    """A bit string written as 0 and 1."""
    unused = -len(value) % 8
    return tlv(0x84, bytes((unused,)) + (int(value or "0", 2) << unused).to_bytes((len(value) + unused) // 8, "big"))


def structure(*members: bytes) -> bytes:
    return tlv(0xA2, b"".join(members))
