"""MMS Initiate: the proposal of the client, the server's own limits, and the minimum of both (ISO 9506-2, Initiate service).

A8 { 80 local detail (largest PDU), 81 outstanding calling, 82 outstanding called, 83 nesting,
     A4 { 80 version, 81 parameter CBB, 82 services supported } }                       answered by A9, refused by AA
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Final

from pyasn1.type import univ

from mms_server.stack import ber
from mms_server.stack.errors import WireError
from mms_server.stack.specification import (
    components,
    context,
    decode,
    encode,
    given,
    implicit,
    optional,
    required,
    taken_apart,
)

SMALLEST_PDU: Final = 512
LARGEST_PDU: Final = 65_000
SERVICES: Final = 85
PARAMETERS: Final = 11
OWN_PARAMETERS: Final = frozenset({0, 1, 2, 3, 7})  # str1 str2 vnam valt vlis: F1 00
_LAYER: Final = "mms"


class _Detail(univ.Sequence):
    componentType = components(
        required("version", implicit(univ.Integer(), 0)),
        required("parameters", implicit(univ.BitString(), 1)),
        required("services", implicit(univ.BitString(), 2)),
    )


class _Initiate(univ.Sequence):
    componentType = components(
        optional("detail_octets", implicit(univ.Integer(), 0)),
        required("calling", implicit(univ.Integer(), 1)),
        required("called", implicit(univ.Integer(), 2)),
        optional("nesting", implicit(univ.Integer(), 3)),
        required("detail", implicit(_Detail(), 4)),
    )


def _request() -> Any:
    return _Initiate().subtype(implicitTag=context(8, constructed=True))


def _response() -> Any:
    return _Initiate().subtype(implicitTag=context(9, constructed=True))


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposal of a client; None where it leaves the choice to us. Bit sets hold bit numbers from the MSB."""

    max_pdu: int | None
    calling: int
    called: int
    nesting: int | None
    version: int
    parameters: frozenset[int]
    services: frozenset[int]


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """The limits of this server. `services` are the bits of ServiceSupportOptions that really answer."""

    services: frozenset[int]
    max_pdu: int = LARGEST_PDU
    calling: int = 5
    called: int = 5
    nesting: int = 10
    parameters: frozenset[int] = OWN_PARAMETERS


@dataclass(frozen=True, slots=True)
class Negotiated:
    """The agreement of one association: the minimum of both sides."""

    max_pdu: int
    calling: int
    called: int
    nesting: int
    parameters: frozenset[int]
    services: frozenset[int]


class Refusal(IntEnum):
    """The reason of a refused Initiate: codes of ServiceError class initiate."""

    OTHER = 0
    VERSION_INCOMPATIBLE = 1
    MAX_SEGMENT_INSUFFICIENT = 2
    MAX_SERVICES_CALLING_INSUFFICIENT = 3
    MAX_SERVICES_CALLED_INSUFFICIENT = 4
    PARAMETER_CBB_INSUFFICIENT = 6
    NESTING_INSUFFICIENT = 7


@taken_apart(_LAYER)
def decode_request(pdu: bytes) -> Proposal:
    """The proposal in an Initiate request. Raises WireError for anything else."""
    return _proposal(decode(pdu, _request(), _LAYER))


def _proposal(value: Any) -> Proposal:
    detail_octets, nesting = given(value, "detail_octets"), given(value, "nesting")
    detail = value["detail"]
    return Proposal(
        max_pdu=None if detail_octets is None else int(detail_octets),
        calling=int(value["calling"]),
        called=int(value["called"]),
        nesting=None if nesting is None else int(nesting),
        version=int(detail["version"]),
        parameters=_bits(detail["parameters"]),
        services=_bits(detail["services"]),
    )


def _bits(value: Any) -> frozenset[int]:
    if len(value) > 256:
        raise WireError(_LAYER, 0, f"bit string of {len(value)} bits, expected at most 256")
    return frozenset(number for number, bit in enumerate(value) if bit)


def negotiate(proposal: Proposal, own: ServerLimits) -> Negotiated | Refusal:
    """The minimum of both sides, or why there is none that can work."""
    max_pdu = own.max_pdu if proposal.max_pdu is None else min(proposal.max_pdu, own.max_pdu)
    if max_pdu < SMALLEST_PDU:
        return Refusal.MAX_SEGMENT_INSUFFICIENT
    if proposal.version < 1:
        return Refusal.VERSION_INCOMPATIBLE
    if proposal.calling < 1:
        return Refusal.MAX_SERVICES_CALLING_INSUFFICIENT
    if proposal.called < 0:
        return Refusal.MAX_SERVICES_CALLED_INSUFFICIENT
    nesting = own.nesting if proposal.nesting is None else min(proposal.nesting, own.nesting)
    if nesting < 0:
        return Refusal.NESTING_INSUFFICIENT
    return Negotiated(
        max_pdu,
        min(proposal.calling, own.calling),
        min(proposal.called, own.called),
        nesting,
        proposal.parameters & own.parameters,
        own.services,
    )


@lru_cache(maxsize=64)
def encode_response(agreed: Negotiated) -> bytes:
    """The Initiate response that tells the client what was agreed; version 1."""
    return _encoded(_response(), agreed)


def encode_request(proposed: Negotiated) -> bytes:
    """The Initiate request of a client that proposes this; version 1."""
    return _encoded(_request(), proposed)


@taken_apart(_LAYER)
def decode_response(pdu: bytes, proposed: Negotiated) -> Negotiated:
    """The agreement that the Initiate response in `pdu` makes of the limits `proposed`.

    Raises WireError for anything else: for an Initiate error, and for more than was proposed.
    """
    if pdu[:1] == b"\xaa":
        raise WireError(_LAYER, 0, f"initiate refused: {pdu.hex()}")
    said = _proposal(decode(pdu, _response(), _LAYER))
    max_pdu = proposed.max_pdu if said.max_pdu is None else said.max_pdu
    if not SMALLEST_PDU <= max_pdu <= proposed.max_pdu:
        raise WireError(_LAYER, 0, f"PDUs of {max_pdu} octets, expected {SMALLEST_PDU}..{proposed.max_pdu}")
    nesting = proposed.nesting if said.nesting is None else said.nesting
    return Negotiated(max_pdu, said.calling, said.called, nesting, said.parameters, said.services)


def _encoded(value: Any, detail: Negotiated) -> bytes:
    value["detail_octets"] = detail.max_pdu
    value["calling"] = detail.calling
    value["called"] = detail.called
    value["nesting"] = detail.nesting
    value["detail"]["version"] = 1
    value["detail"]["parameters"] = _bit_string(detail.parameters, PARAMETERS)
    value["detail"]["services"] = _bit_string(detail.services, SERVICES)
    return encode(value)


def _bit_string(bits: frozenset[int], length: int) -> str:
    return "".join("1" if number in bits else "0" for number in range(length))


def encode_error(refusal: Refusal) -> bytes:
    """The Initiate error: a ServiceError of class initiate (8)."""
    return ber.tlv(0xAA, ber.tlv(0xA0, ber.tlv(0x88, bytes((refusal,)))))
