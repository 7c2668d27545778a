"""ACSE: association request and answer, release and abort (X.227, 2.2.1.0.1), with the password of IEC 61850-8-1.

    AARQ 60 { A1 application context, A2..A7 titles, 8A requirements, 8B mechanism, AC {80 password}, BE {28 {02 id, A0 MMS}} }
    AARE 61 { A1 application context, A2 result, A3 diagnostic, [88 89 AA echo], BE {28 {02 id, A0 MMS}} }
    RLRQ 62   RLRE 63   ABRT 64 { 80 source }

A password is believed only under the mechanism 2.2.3.1 (52 03 01); whether it is right is the caller's decision.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from pyasn1.type import char, univ

from mms_server.stack import ber
from mms_server.stack.errors import WireError
from mms_server.stack.specification import (
    application,
    components,
    decode,
    encode,
    explicit,
    given,
    implicit,
    optional,
    required,
    taken_apart,
)

MMS_APPLICATION: Final = "1.0.9506.2.3"
PASSWORD_MECHANISM: Final = "2.2.3.1"
PASSWORD_LIMIT: Final = 256
ACCEPTED: Final = 0
REJECTED_PERMANENT: Final = 1
AUTHENTICATION_FAILURE: Final = 13
APPLICATION_CONTEXT_UNKNOWN: Final = 2
RLRQ: Final = bytes.fromhex("6203800100")  # release request, reason normal
RLRE: Final = bytes.fromhex("6303800100")  # release response, reason normal
_LAYER: Final = "acse"


class _Encoding(univ.Choice):
    componentType = components(
        required("single", explicit(univ.Any(), 0)),
        required("octets", implicit(univ.OctetString(), 1)),
        required("bits", implicit(univ.BitString(), 2)),
    )


class _External(univ.Sequence):
    tagSet = univ.Sequence.tagSet.tagImplicitly(
        univ.tag.Tag(univ.tag.tagClassUniversal, univ.tag.tagFormatConstructed, 8)
    )
    componentType = components(
        optional("direct", univ.ObjectIdentifier()),
        optional("indirect", univ.Integer()),
        optional("descriptor", univ.OctetString()),
        required("encoding", _Encoding()),
    )


class _UserInformation(univ.SequenceOf):
    componentType = _External()


class _Name(univ.SequenceOf):
    componentType = univ.Any()


class _RelativeName(univ.SetOf):
    componentType = univ.Any()


class _Title(univ.Choice):
    componentType = components(required("oid", univ.ObjectIdentifier()), required("name", _Name()))


class _Qualifier(univ.Choice):
    componentType = components(required("number", univ.Integer()), required("name", _RelativeName()))


class _Contexts(univ.SequenceOf):
    componentType = univ.ObjectIdentifier()


class _Authentication(univ.Choice):
    componentType = components(
        required("text", implicit(univ.OctetString(), 0)),
        required("bits", implicit(univ.BitString(), 1)),
        required("external", implicit(_External(), 2)),
        required("other", explicit(univ.Any(), 3)),
    )


class _Aarq(univ.Sequence):
    tagSet = univ.Sequence.tagSet.tagImplicitly(application(0))
    componentType = components(
        optional("version", implicit(univ.BitString(), 0)),
        required("application", explicit(univ.ObjectIdentifier(), 1)),
        optional("called_title", explicit(_Title(), 2)),
        optional("called_qualifier", explicit(_Qualifier(), 3)),
        optional("called_ap_invocation", explicit(univ.Integer(), 4)),
        optional("called_ae_invocation", explicit(univ.Integer(), 5)),
        optional("calling_title", explicit(_Title(), 6)),
        optional("calling_qualifier", explicit(_Qualifier(), 7)),
        optional("calling_ap_invocation", explicit(univ.Integer(), 8)),
        optional("calling_ae_invocation", explicit(univ.Integer(), 9)),
        optional("requirements", implicit(univ.BitString(), 10)),
        optional("mechanism", implicit(univ.ObjectIdentifier(), 11)),
        optional("authentication", explicit(_Authentication(), 12)),
        optional("contexts", implicit(_Contexts(), 13)),
        optional("implementation", implicit(char.GraphicString(), 29)),
        optional("information", implicit(_UserInformation(), 30)),
    )


class _Diagnostic(univ.Choice):
    componentType = components(
        required("user", explicit(univ.Integer(), 1)), required("provider", explicit(univ.Integer(), 2))
    )


class _Aare(univ.Sequence):
    tagSet = univ.Sequence.tagSet.tagImplicitly(application(1))
    componentType = components(
        optional("version", implicit(univ.BitString(), 0)),
        required("application", explicit(univ.ObjectIdentifier(), 1)),
        required("result", explicit(univ.Integer(), 2)),
        required("diagnostic", explicit(_Diagnostic(), 3)),
        optional("responding_title", explicit(_Title(), 4)),
        optional("responding_qualifier", explicit(_Qualifier(), 5)),
        optional("responding_ap_invocation", explicit(univ.Integer(), 6)),
        optional("responding_ae_invocation", explicit(univ.Integer(), 7)),
        optional("requirements", implicit(univ.BitString(), 8)),
        optional("mechanism", implicit(univ.ObjectIdentifier(), 9)),
        optional("authentication", explicit(_Authentication(), 10)),
        optional("contexts", implicit(_Contexts(), 11)),
        optional("implementation", implicit(char.GraphicString(), 29)),
        optional("information", implicit(_UserInformation(), 30)),
    )


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """An AARQ. `mechanism` None: no authentication asked for; `mms` is the Initiate inside. Titles in form 2."""

    application: str
    mechanism: str | None
    authentication: bytes | None
    calling_title: str | None
    calling_qualifier: int | None
    called_title: str | None
    called_qualifier: int | None
    mms: bytes

    @property
    def password(self) -> bytes | None:
        """The password, if one was given under the only mechanism that means a password."""
        return self.authentication if self.mechanism == PASSWORD_MECHANISM else None


@taken_apart(_LAYER)
def decode_associate(apdu: bytes) -> AssociateRequest:
    """The AARQ in `apdu`. Raises WireError for anything else, and for one without user information."""
    aarq = decode(apdu, _Aarq(), _LAYER)
    mechanism = given(aarq, "mechanism")
    return AssociateRequest(
        application=str(aarq["application"]),
        mechanism=None if mechanism is None else str(mechanism),
        authentication=_authentication(given(aarq, "authentication")),
        calling_title=_title(given(aarq, "calling_title")),
        calling_qualifier=_qualifier(given(aarq, "calling_qualifier")),
        called_title=_title(given(aarq, "called_title")),
        called_qualifier=_qualifier(given(aarq, "called_qualifier")),
        mms=_information(given(aarq, "information")),
    )


def _title(value: Any) -> str | None:
    oid = None if value is None else given(value, "oid")
    return None if oid is None else str(oid)


def _qualifier(value: Any) -> int | None:
    number = None if value is None else given(value, "number")
    return None if number is None else int(number)


def _authentication(value: Any) -> bytes | None:
    if value is None or given(value, "text") is None:
        return None
    text = bytes(value["text"])
    if len(text) > PASSWORD_LIMIT:
        raise WireError(_LAYER, 0, f"authentication value of {len(text)} octets, expected at most {PASSWORD_LIMIT}")
    return text


def _information(value: Any) -> bytes:
    if value is None or len(value) != 1:
        raise WireError(_LAYER, 0, "no single user information")
    single = given(value[0]["encoding"], "single")
    if single is None:
        raise WireError(_LAYER, 0, "user information that is no single ASN.1 type")
    return bytes(single)


@lru_cache(maxsize=64)
def encode_answer(result: int, diagnostic: int, mms_context: int, mms: bytes | None) -> bytes:
    """An AARE with `result` and the service user's `diagnostic` (0: none), around the Initiate answer if there is one."""
    aare = _Aare()
    aare["application"] = MMS_APPLICATION
    aare["result"] = result
    aare["diagnostic"]["user"] = diagnostic
    if mms is not None:
        external = aare["information"].getComponentByPosition(0)
        external["indirect"] = mms_context
        external["encoding"]["single"] = mms
    return encode(aare)


def encode_associate(mms_context: int, mms: bytes, password: bytes | None = None) -> bytes:
    """An AARQ around the Initiate `mms`; with `password` it asks to be authenticated by it. It carries no titles."""
    aarq = _Aarq()
    aarq["application"] = MMS_APPLICATION
    if password is not None:
        aarq["requirements"] = "1"  # the functional unit authentication
        aarq["mechanism"] = PASSWORD_MECHANISM
        aarq["authentication"]["text"] = password
    external = aarq["information"].getComponentByPosition(0)
    external["indirect"] = mms_context
    external["encoding"]["single"] = mms
    return encode(aarq)


@dataclass(frozen=True, slots=True)
class AssociateAnswer:
    """An AARE: accepted or not, the diagnostic if not, and the Initiate answer inside (None if not accepted)."""

    accepted: bool
    diagnostic: int
    mms: bytes | None


@taken_apart(_LAYER)
def decode_answer(apdu: bytes) -> AssociateAnswer:
    """The AARE in `apdu`. Raises WireError for anything else."""
    aare = decode(apdu, _Aare(), _LAYER)
    information = given(aare, "information")
    diagnostic = aare["diagnostic"]
    return AssociateAnswer(
        accepted=int(aare["result"]) == ACCEPTED,
        diagnostic=int(diagnostic[diagnostic.getName()]),
        mms=None if information is None else _information(information),
    )


def encode_abort(by_provider: bool) -> bytes:
    """An ABRT."""
    return ber.tlv(0x64, ber.tlv(0x80, bytes((by_provider,))))
