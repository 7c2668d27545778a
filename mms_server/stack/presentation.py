"""The presentation layer: context ids of ACSE and MMS, and one envelope around each PDU (X.226).

    CP   | 31 | A0 {80 01 01} | A2 {81 calling, 82 called, A4 {30 {02 id, 06 abstract, 30 {06 transfer}} ...}, user data}
    CPA  | 31 | A0 {80 01 01} | A2 {83 responding, A5 {30 {80 result, 81 transfer} ...}, user data}
    data | 61 { 30 { [06 transfer] 02 id  A0 { PDU } } }

The client chooses the context ids; the answer has one result for each proposed, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pyasn1.type import univ

from mms_server.stack import ber
from mms_server.stack.definite import definite
from mms_server.stack.errors import WireError
from mms_server.stack.specification import (
    application,
    components,
    decode,
    encode,
    explicit,
    given,
    implicit,
    octets_of,
    optional,
    required,
    taken_apart,
)

ACSE_SYNTAX: Final = "2.2.1.0.1"
MMS_SYNTAX: Final = "1.0.9506.2.1"
BER_TRANSFER: Final = "2.1.1"
SELECTOR_LIMIT: Final = 16
CONTEXTS_LIMIT: Final = 16
_LAYER: Final = "presentation"
_ACCEPTANCE: Final = 0
_PROVIDER_REJECTION: Final = 2
_ABSTRACT_SYNTAX_NOT_SUPPORTED: Final = 1


class _PdvData(univ.Choice):
    componentType = components(
        required("single", explicit(univ.Any(), 0)),
        required("octets", implicit(univ.OctetString(), 1)),
        required("bits", implicit(univ.BitString(), 2)),
    )


class _Pdv(univ.Sequence):
    componentType = components(
        optional("transfer", univ.ObjectIdentifier()),
        required("context", univ.Integer()),
        required("data", _PdvData()),
    )


class _FullyEncoded(univ.SequenceOf):
    componentType = _Pdv()


class _TransferNames(univ.SequenceOf):
    componentType = univ.ObjectIdentifier()


class _Context(univ.Sequence):
    componentType = components(
        required("id", univ.Integer()),
        required("abstract", univ.ObjectIdentifier()),
        required("transfers", _TransferNames()),
    )


class _Contexts(univ.SequenceOf):
    componentType = _Context()


class _Result(univ.Sequence):
    componentType = components(
        required("result", implicit(univ.Integer(), 0)),
        optional("transfer", implicit(univ.ObjectIdentifier(), 1)),
        optional("reason", implicit(univ.Integer(), 2)),
    )


class _Results(univ.SequenceOf):
    componentType = _Result()


class _Mode(univ.Set):
    componentType = components(required("value", implicit(univ.Integer(), 0)))


_USER_DATA: Final = _FullyEncoded().subtype(implicitTag=application(1))


class _Proposal(univ.Sequence):
    componentType = components(
        optional("version", implicit(univ.BitString(), 0)),
        optional("calling", implicit(univ.OctetString(), 1)),
        optional("called", implicit(univ.OctetString(), 2)),
        optional("contexts", implicit(_Contexts(), 4)),
        optional("default", explicit(univ.Any(), 6)),
        optional("requirements", implicit(univ.BitString(), 8)),
        optional("session", implicit(univ.BitString(), 9)),
        optional("data", _USER_DATA),
    )


class _Acceptance(univ.Sequence):
    componentType = components(
        optional("responding", implicit(univ.OctetString(), 3)),
        required("results", implicit(_Results(), 5)),
        required("data", _USER_DATA),
    )


class _Cp(univ.Set):
    componentType = components(required("mode", implicit(_Mode(), 0)), optional("normal", implicit(_Proposal(), 2)))


class _Cpa(univ.Set):
    componentType = components(required("mode", implicit(_Mode(), 0)), required("normal", implicit(_Acceptance(), 2)))


@dataclass(frozen=True, slots=True)
class ProposedContext:
    """One presentation context that the client proposes: its id, the abstract syntax, whether BER is offered for it."""

    id: int
    abstract: str
    ber: bool


@dataclass(frozen=True, slots=True)
class ConnectPresentation:
    """A CP: its P-selectors, its contexts in order, and the PDU inside (the AARQ)."""

    calling: bytes | None
    called: bytes | None
    contexts: tuple[ProposedContext, ...]
    user_data: bytes

    def context(self, abstract: str) -> int:
        """The id under which `abstract` was proposed with BER. Raises WireError if it was not."""
        for proposed in self.contexts:
            if proposed.abstract == abstract and proposed.ber:
                return proposed.id
        raise WireError(_LAYER, 0, f"no presentation context for {abstract} with BER")


@taken_apart(_LAYER)
def decode_connect(ppdu: bytes) -> ConnectPresentation:
    """The CP in `ppdu`. Raises WireError for anything else, and for one that carries no AARQ."""
    cp = decode(ppdu, _Cp(), _LAYER)
    normal = given(cp, "normal")
    if int(cp["mode"]["value"]) != 1 or normal is None:
        raise WireError(_LAYER, 0, "no normal mode parameters")
    contexts = _proposed(given(normal, "contexts"))
    data = given(normal, "data")
    if data is None:
        raise WireError(_LAYER, 0, "no user data")
    return ConnectPresentation(_selector(normal, "calling"), _selector(normal, "called"), contexts, _single(data))


def _proposed(contexts: Any) -> tuple[ProposedContext, ...]:
    if contexts is None or not 1 <= len(contexts) <= CONTEXTS_LIMIT:
        raise WireError(_LAYER, 0, f"no presentation contexts, or more than {CONTEXTS_LIMIT}")
    return tuple(
        ProposedContext(
            int(one["id"]), str(one["abstract"]), any(str(name) == BER_TRANSFER for name in one["transfers"])
        )
        for one in contexts
    )


def _selector(normal: Any, name: str) -> bytes | None:
    selector = octets_of(normal, name)
    if selector is not None and len(selector) > SELECTOR_LIMIT:
        raise WireError(_LAYER, 0, f"P-selector of {len(selector)} octets, expected at most {SELECTOR_LIMIT}")
    return selector


def _single(data: Any) -> bytes:
    if len(data) != 1:
        raise WireError(_LAYER, 0, f"{len(data)} values in the user data, expected 1")
    single = given(data[0]["data"], "single")
    if single is None:
        raise WireError(_LAYER, 0, "user data that is no single ASN.1 type")
    return bytes(single)


def encode_accept(connect: ConnectPresentation, user_data: bytes) -> bytes:
    """The CPA for `connect` around the AARE `user_data`: every context we know is accepted, the others are refused."""
    return _acceptance(connect.called, connect.contexts, connect.context(ACSE_SYNTAX), user_data)


@lru_cache(maxsize=64)
def _acceptance(
    called: bytes | None, contexts: tuple[ProposedContext, ...], acse_context: int, user_data: bytes
) -> bytes:
    """The CPA, cached without the AARQ, which may have a password."""
    cpa = _Cpa()
    cpa["mode"]["value"] = 1
    normal = cpa["normal"]
    if called is not None:
        normal["responding"] = called
    for position, proposed in enumerate(contexts):
        accepted = proposed.ber and proposed.abstract in (ACSE_SYNTAX, MMS_SYNTAX)
        result = normal["results"].getComponentByPosition(position)
        result["result"] = _ACCEPTANCE if accepted else _PROVIDER_REJECTION
        if accepted:
            result["transfer"] = BER_TRANSFER
        else:
            result["reason"] = _ABSTRACT_SYNTAX_NOT_SUPPORTED
    pdv = normal["data"].getComponentByPosition(0)
    pdv["context"] = acse_context
    pdv["data"]["single"] = user_data
    return encode(cpa)


def encode_connect(calling: bytes, called: bytes, contexts: Sequence[tuple[int, str]], user_data: bytes) -> bytes:
    """The CP of a client around the AARQ `user_data`, which goes under the first of `contexts` (id, abstract syntax)."""
    cp = _Cp()
    cp["mode"]["value"] = 1
    normal = cp["normal"]
    normal["calling"], normal["called"] = calling, called
    for position, (number, abstract) in enumerate(contexts):
        proposed = normal["contexts"].getComponentByPosition(position)
        proposed["id"], proposed["abstract"] = number, abstract
        proposed["transfers"][0] = BER_TRANSFER
    pdv = normal["data"].getComponentByPosition(0)
    pdv["context"] = contexts[0][0]
    pdv["data"]["single"] = user_data
    return encode(cp)


@taken_apart(_LAYER)
def decode_accept(ppdu: bytes) -> bytes:
    """The AARE in the CPA `ppdu`. Raises WireError for anything else, and if a context was refused."""
    cpa = decode(ppdu, _Cpa(), _LAYER)
    results = [int(one["result"]) for one in cpa["normal"]["results"]]
    if any(result != _ACCEPTANCE for result in results):
        raise WireError(_LAYER, 0, f"contexts answered by {results}, expected 0 for each")
    return _single(cpa["normal"]["data"])


def wrap(context: int, pdu: bytes) -> bytes:
    """`pdu` in one PDV of `context`."""
    return ber.tlv(0x61, ber.tlv(0x30, ber.tlv(0x02, ber.integer(context)) + ber.tlv(0xA0, pdu)))


def take(buffer: bytes, start: int) -> tuple[int, int, int]:
    """The context id of the one PDV in `buffer[start:]`, and where the PDU in it starts and ends.

    Definite lengths only: the path of all data. Raises WireError for any other form, which `unwrap` may still know.
    """
    tag, start, end = ber.header(buffer, start, len(buffer))
    if tag != 0x61 or end != len(buffer):
        raise WireError(_LAYER, 0, "no user data, expected 61")
    tag, start, inner_end = ber.header(buffer, start, end)
    if tag != 0x30 or inner_end != end:
        raise WireError(_LAYER, 2, "no single PDV, expected 30")
    tag, start, after = ber.header(buffer, start, end)
    if tag == 0x06:
        tag, start, after = ber.header(buffer, after, end)
    if tag != 0x02:
        raise WireError(_LAYER, 4, "no context id in the PDV")
    context = ber.decode_integer(buffer, start, after)
    tag, start, after = ber.header(buffer, after, end)
    if tag != 0xA0 or after != end:
        raise WireError(_LAYER, 7, "no single ASN.1 type in the PDV, expected a0")
    return context, start, end


def unwrap(ppdu: bytes) -> tuple[int, bytes]:
    """The context id and the PDU of the one PDV in `ppdu`, in any form of BER. Raises WireError."""
    plain = definite(ppdu, _LAYER)
    context, start, end = take(plain, 0)
    return context, plain[start:end]
