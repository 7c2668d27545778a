"""The independent reader of MMS: the PDUs of ISO 9506-2 that we send, declared in pyasn1.

Every PDU of the server must decode here whole; the result comes back as plain Python (`native`): Data of structures and
arrays are lists, bit strings are text of 0 and 1.
"""

from io import BytesIO
from typing import Any

from pyasn1 import error
from pyasn1.codec.ber import decoder
from pyasn1.type import char, namedtype, tag, univ, useful

DEPTH = 10  # levels below the outermost; pyasn1 doubles what it builds with each


def _implicit(spec: Any, number: int) -> Any:
    constructed = isinstance(spec, univ.Sequence | univ.SequenceOf)
    form = tag.tagFormatConstructed if constructed else tag.tagFormatSimple
    return spec.subtype(implicitTag=tag.Tag(tag.tagClassContext, form, number))


def _explicit(spec: Any, number: int) -> Any:
    return spec.subtype(explicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, number))


def _choice(**parts: Any) -> Any:
    return univ.Choice(
        componentType=namedtype.NamedTypes(
            *(namedtype.NamedType(name.strip("_"), spec) for name, spec in parts.items())
        )
    )


def _sequence(**parts: Any) -> Any:
    """A SEQUENCE; a name that ends in `_` is optional."""
    kinds = ((namedtype.OptionalNamedType if name.endswith("_") else namedtype.NamedType) for name in parts)
    named = (kind(name.strip("_"), spec) for kind, (name, spec) in zip(kinds, parts.items(), strict=True))
    return univ.Sequence(componentType=namedtype.NamedTypes(*named))


def _data(depth: int) -> Any:
    parts = {
        "boolean": _implicit(univ.Boolean(), 3),
        "bit_string": _implicit(univ.BitString(), 4),
        "integer": _implicit(univ.Integer(), 5),
        "unsigned": _implicit(univ.Integer(), 6),
        "floating_point": _implicit(univ.OctetString(), 7),
        "octet_string": _implicit(univ.OctetString(), 9),
        "visible_string": _implicit(char.VisibleString(), 10),
        "binary_time": _implicit(univ.OctetString(), 12),
        "mms_string": _implicit(char.UTF8String(), 16),
        "utc_time": _implicit(univ.OctetString(), 17),
    }
    if depth:
        inner = _data(depth - 1)
        parts["array"] = _implicit(univ.SequenceOf(componentType=inner), 1)
        parts["structure"] = _implicit(univ.SequenceOf(componentType=inner), 2)
    return _choice(**parts)


def _type(depth: int) -> Any:
    parts = {
        "boolean": _implicit(univ.Null(), 3),
        "bit_string": _implicit(univ.Integer(), 4),
        "integer": _implicit(univ.Integer(), 5),
        "unsigned": _implicit(univ.Integer(), 6),
        "floating_point": _implicit(_sequence(format_width=univ.Integer(), exponent_width=univ.Integer()), 7),
        "octet_string": _implicit(univ.Integer(), 9),
        "visible_string": _implicit(univ.Integer(), 10),
        "binary_time": _implicit(univ.Boolean(), 12),
        "mms_string": _implicit(univ.Integer(), 16),
        "utc_time": _implicit(univ.Null(), 17),
    }
    if depth:
        inner = _type(depth - 1)
        component = _sequence(name_=_implicit(char.VisibleString(), 0), type=_explicit(inner, 1))
        parts["array"] = _implicit(_sequence(count=_implicit(univ.Integer(), 1), element=_explicit(inner, 2)), 1)
        parts["structure"] = _implicit(_sequence(components=_implicit(univ.SequenceOf(componentType=component), 1)), 2)
    return _choice(**parts)


def _alternate_access(depth: int) -> Any:
    def chosen(first: int) -> dict[str, Any]:
        index_range = _sequence(low=_implicit(univ.Integer(), 0), count=_implicit(univ.Integer(), 1))
        return {
            "component": _implicit(char.VisibleString(), first),
            "index": _implicit(univ.Integer(), first + 1),
            "index_range": _implicit(index_range, first + 2),
            "all": _implicit(univ.Null(), first + 3),
        }

    parts = chosen(1)
    if depth:
        selected = _sequence(chosen=_choice(**chosen(0)), within=_alternate_access(depth - 1))
        parts["select"] = _implicit(selected, 0)
    return univ.SequenceOf(componentType=_choice(**parts))


OBJECT_NAME = _choice(
    vmd=_implicit(char.VisibleString(), 0),
    domain=_implicit(_sequence(domain=char.VisibleString(), item=char.VisibleString()), 1),
    association=_implicit(char.VisibleString(), 2),
)
ALTERNATE_ACCESS = _alternate_access(8)
VARIABLE = _sequence(specification=_choice(name=_explicit(OBJECT_NAME, 0)), access_=_implicit(ALTERNATE_ACCESS, 5))
VARIABLES = _choice(
    list=_implicit(univ.SequenceOf(componentType=VARIABLE), 0),
    name=_explicit(OBJECT_NAME, 1),
)
DATA = _data(DEPTH)
ACCESS_RESULT = _choice(failure=_implicit(univ.Integer(), 0), success=DATA)
FILE_ATTRIBUTES = _sequence(octets=_implicit(univ.Integer(), 0), modified=_implicit(useful.GeneralizedTime(), 1))
LOGGED = _sequence(tag=_implicit(char.VisibleString(), 0), value=_explicit(DATA, 1))
LOGGED_LIST = _sequence(variables=_implicit(univ.SequenceOf(componentType=LOGGED), 1))
JOURNAL_ENTRY = _sequence(
    entry_id=_implicit(univ.OctetString(), 0),
    application=_explicit(univ.Sequence(), 1),
    content=_implicit(_sequence(time=_implicit(univ.OctetString(), 0), data=_implicit(LOGGED_LIST, 2)), 2),
)
SERVICE_RESPONSE = _choice(
    status=_implicit(_sequence(logical=_implicit(univ.Integer(), 0), physical=_implicit(univ.Integer(), 1)), 0),
    get_name_list=_implicit(
        _sequence(
            names=_implicit(univ.SequenceOf(componentType=char.VisibleString()), 0),
            more_follows=_implicit(univ.Boolean(), 1),
        ),
        1,
    ),
    identify=_implicit(
        _sequence(
            vendor=_implicit(char.VisibleString(), 0),
            model=_implicit(char.VisibleString(), 1),
            revision=_implicit(char.VisibleString(), 2),
        ),
        2,
    ),
    read=_implicit(
        _sequence(
            specification_=_explicit(VARIABLES, 0),
            results=_implicit(univ.SequenceOf(componentType=ACCESS_RESULT), 1),
        ),
        4,
    ),
    variable_attributes=_implicit(
        _sequence(deletable=_implicit(univ.Boolean(), 0), type=_explicit(_type(DEPTH), 2)),
        6,
    ),
    list_attributes=_implicit(
        _sequence(
            deletable=_implicit(univ.Boolean(), 0),
            variables=_implicit(univ.SequenceOf(componentType=VARIABLE), 1),
        ),
        12,
    ),
    write=_implicit(
        univ.SequenceOf(componentType=_choice(failure=_implicit(univ.Integer(), 0), success=_implicit(univ.Null(), 1))),
        5,
    ),
    obtain_file=_implicit(univ.Null(), 46),
    read_journal=_implicit(
        _sequence(
            entries=_implicit(univ.SequenceOf(componentType=JOURNAL_ENTRY), 0),
            more_follows=_implicit(univ.Boolean(), 1),
        ),
        65,
    ),
    file_open=_implicit(_sequence(number=_implicit(univ.Integer(), 0), attributes=_implicit(FILE_ATTRIBUTES, 1)), 72),
    file_read=_implicit(
        _sequence(data=_implicit(univ.OctetString(), 0), more_follows=_implicit(univ.Boolean(), 1)), 73
    ),
    file_close=_implicit(univ.Null(), 74),
    file_rename=_implicit(univ.Null(), 75),
    file_delete=_implicit(univ.Null(), 76),
    file_directory=_implicit(
        _sequence(
            entries=_explicit(
                univ.SequenceOf(
                    componentType=_sequence(
                        name=_implicit(univ.SequenceOf(componentType=char.GraphicString()), 0),
                        attributes=_implicit(FILE_ATTRIBUTES, 1),
                    )
                ),
                0,
            ),
            more_follows=_implicit(univ.Boolean(), 1),
        ),
        77,
    ),
    define_list=_implicit(univ.Null(), 11),
    delete_list=_implicit(
        _sequence(matched=_implicit(univ.Integer(), 0), deleted=_implicit(univ.Integer(), 1)),
        13,
    ),
)
INFORMATION_REPORT = _sequence(variables=VARIABLES, results=_implicit(univ.SequenceOf(componentType=ACCESS_RESULT), 0))
SERVICE_ERROR = _sequence(
    error=_explicit(
        _choice(
            definition=_implicit(univ.Integer(), 2),
            resource=_implicit(univ.Integer(), 3),
            service=_implicit(univ.Integer(), 4),
            access=_implicit(univ.Integer(), 7),
            file=_implicit(univ.Integer(), 11),
        ),
        0,
    ),
    specific_=_explicit(_choice(delete_list=_implicit(univ.Integer(), 6)), 3),
)
PDU = _choice(
    response=_implicit(_sequence(invoke_id=univ.Integer(), service=SERVICE_RESPONSE), 1),
    error=_implicit(_sequence(invoke_id=_implicit(univ.Integer(), 0), reason=_implicit(SERVICE_ERROR, 2)), 2),
    unconfirmed=_implicit(_sequence(report=_implicit(INFORMATION_REPORT, 0)), 3),
    reject=_implicit(
        _sequence(
            invoke_id_=_implicit(univ.Integer(), 0),
            reason=_choice(confirmed_request=_implicit(univ.Integer(), 1), pdu_error=_implicit(univ.Integer(), 5)),
        ),
        4,
    ),
)


class OracleError(AssertionError):
    """Octets that are no PDU of ours: the element, its offset and the reason, in one line.

    pyasn1's own message has the whole specification in it, which is 3.5 million characters, twice.
    """


def decode(octets: bytes) -> Any:
    """The PDU as plain Python: `{"response": {"invoke_id": 1, "service": {"read": {...}}}}`. Raises OracleError."""
    __tracebackhide__ = True
    return native(decoded(octets, PDU))


def decoded(octets: bytes, spec: Any) -> Any:
    """The pyasn1 value of `spec` in `octets`, which hold nothing else. Raises OracleError."""
    __tracebackhide__ = True
    stream, reason = BytesIO(octets), "cut off"
    try:
        for value in decoder.StreamingDecoder(stream, asn1Spec=spec):
            if not isinstance(value, error.SubstrateUnderrunError):
                break
        else:
            raise error.EndOfStreamError
        if not (behind := len(octets) - stream.tell()):
            return value
        reason = f"{behind} octets behind the PDU"
    except error.EndOfStreamError:
        pass
    except error.PyAsn1Error as refused:
        reason = _reason(str(refused))
    raise OracleError(f"mms oracle: {_place(octets, stream.tell())}: {reason}")


def _reason(text: str) -> str:
    if "not in asn1Spec" in text:
        return "its tag is not expected here"
    if "uninitialized components" in text:
        return "a component is missing in it or in what ends with it"
    return text.partition("\n")[0][:100]


def _place(octets: bytes, position: int) -> str:
    """The innermost element that the decoder has begun when it stands at `position`, and the tags around it."""
    around: list[str] = []
    at, end, found = 0, len(octets), "no element"
    while at < min(position, end):
        tag, start, after = _header(octets, at)
        if after < position:
            at = after
            continue
        found = " > ".join([*around, tag]) + f" at octet {at}"
        if not octets[at] & 0x20 or start >= position:
            break
        around.append(tag)
        at, end = start, min(after, end)
    return found


def _header(octets: bytes, at: int) -> tuple[str, int, int]:
    """The tag of the element at `at` in hexadecimal, where its contents begin, and where they say that they end."""
    size = 2 if octets[at] & 0x1F == 0x1F else 1
    length_at = at + size
    length = octets[length_at] if length_at < len(octets) else 0
    start = length_at + 1
    if length > 0x80:
        start += length & 0x7F
        length = int.from_bytes(octets[length_at + 1 : start], "big")
    return octets[at:length_at].hex(), start, start + length


def native(value: Any) -> Any:
    """A pyasn1 value as dict, list, bool, int, str or bytes; a CHOICE as a dict of one."""
    if isinstance(value, univ.Choice):
        return {value.getName(): native(value.getComponent())}
    if isinstance(value, univ.Sequence):
        return {name: native(part) for name, part in value.items() if part.isValue}
    if isinstance(value, univ.SequenceOf):
        return [native(part) for part in value]
    match value:
        case univ.Boolean():
            return bool(value)
        case univ.Null():
            return None
        case univ.BitString():
            return "".join(str(bit) for bit in value)
        case univ.Integer():
            return int(value)
        case char.VisibleString() | char.UTF8String() | char.GraphicString() | useful.GeneralizedTime():
            return str(value)
        case univ.OctetString():
            return bytes(value)
    raise AssertionError(type(value))
