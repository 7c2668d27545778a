import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms_server.mms import access
from mms_server.mms.access import AccessSelection, Component, Everything, Range, Variable
from mms_server.mms.errors import ArgumentError
from mms_server.mms.names import ObjectName
from mms_server.stack.errors import WireError
from tests.support import mms_oracle
from tests.support.engine_client import ALL_ELEMENTS, component, index, index_range, name, select, tlv, variable

NAME = ObjectName(0xA1, b"D", b"LN$MX$A")


def decode(octets: bytes) -> tuple[Variable, ...] | ObjectName:
    return access.decode(octets, 0, len(octets))


def selections(*written: bytes) -> tuple[AccessSelection, ...]:
    found = decode(tlv(0xA0, variable("D", "LN$MX$A", b"".join(written))))
    assert not isinstance(found, ObjectName)
    assert found[0].name == NAME
    return found[0].selections


def test_a_list_of_variables_keeps_its_order_and_each_raw_name() -> None:
    found = decode(tlv(0xA0, variable("D", "X") + variable("E", "Y$ST")))
    assert found == (
        Variable(ObjectName(0xA1, b"D", b"X"), name("D", "X")),
        Variable(ObjectName(0xA1, b"E", b"Y$ST"), name("E", "Y$ST")),
    )


def test_a_list_may_be_meant_by_its_name() -> None:
    assert decode(tlv(0xA1, name("D", "LLN0$ds"))) == ObjectName(0xA1, b"D", b"LLN0$ds")
    assert decode(tlv(0xA1, tlv(0x82, b"mine"))) == ObjectName(0x82, None, b"mine")


WRITTEN = [
    ([component("cVal")], (AccessSelection(Component(b"cVal")),)),
    ([index(300)], (AccessSelection(Range(300, 1, single=True)),)),
    ([index_range(2, 3)], (AccessSelection(Range(2, 3, single=False)),)),
    ([ALL_ELEMENTS], (AccessSelection(Everything()),)),
    (
        [select(index(2), select(component("cVal"), component("mag"), component("ang")))],
        (
            AccessSelection(
                Range(2, 1, single=True),
                (
                    AccessSelection(
                        Component(b"cVal"), (AccessSelection(Component(b"mag")), AccessSelection(Component(b"ang")))
                    ),
                ),
            ),
        ),
    ),
    ([tlv(0xA5, tlv(0x80, b"any") + component("q"))], (AccessSelection(Component(b"q")),)),
]


@pytest.mark.parametrize(("written", "meant"), WRITTEN)
def test_an_alternate_access_is_read_as_it_is_written(written: list[bytes], meant: tuple[AccessSelection, ...]) -> None:
    assert selections(*written) == meant


def nested(depth: int) -> bytes:
    inner = component("f")
    for _ in range(depth):
        inner = select(component("x"), inner)
    return inner


def test_an_alternate_access_has_a_depth_at_which_it_ends() -> None:
    assert selections(nested(access.SELECTION_DEPTH))
    with pytest.raises(ArgumentError, match=f"alternate access deeper than {access.SELECTION_DEPTH}"):
        selections(nested(access.SELECTION_DEPTH + 1))


def listed(variable_contents: bytes) -> bytes:
    return tlv(0xA0, tlv(0x30, variable_contents))


PLAIN = tlv(0xA0, name("D", "A"))
MEANINGLESS = [
    (b"", "header cut off"),
    (tlv(0xA0, b""), "an empty list of variables"),
    (tlv(0xA2, b""), "tag a2, expected a list of variables or the name of a list"),
    (tlv(0xA0, b"") + b"\x00", "octets behind the variable access specification"),
    (tlv(0xA0, tlv(0x31, b"")), "tag 31, expected a variable"),
    (b"\xa0\x7f\x30\x00", "length 127, expected at most 2"),
    (tlv(0xA1, tlv(0xA1, tlv(0x1A, b"D"))), "header cut off"),
    (tlv(0xA1, tlv(0xA1, tlv(0x1A, b"D") * 3)), "a third part in a domain-specific name"),
    (tlv(0xA1, tlv(0xA1, tlv(0x1B, b"D") * 2)), "tag 1b, expected an identifier"),
    (tlv(0xA1, tlv(0x83, b"D")), "tag 83, expected an object name"),
    (tlv(0xA1, name("D", "A") + b"\x00"), "octets behind the object name"),
    (listed(PLAIN + tlv(0xA6, b"")), "tag a6 behind the variable, expected an alternate access"),
    (listed(PLAIN + tlv(0xA5, b"")), "an empty alternate access"),
    (listed(PLAIN + tlv(0xA5, tlv(0x86, b""))), "tag 85, expected a component, an index, a range or all elements"),
    (listed(PLAIN + tlv(0xA5, tlv(0xA3, tlv(0x80, b"\x01")))), "header cut off"),
    (listed(PLAIN + tlv(0xA5, tlv(0xA3, tlv(0x80, b"\x01") * 2))), "an index range that is no pair of numbers"),
    (listed(PLAIN + tlv(0xA5, index_range(0, 255))), "integer -1, expected one that is not negative"),
    (listed(PLAIN + tlv(0xA5, tlv(0x82, b""))), "integer of 0 octets, expected 1..17"),
    (listed(PLAIN + tlv(0xA5, tlv(0xA0, tlv(0x80, b"a")))), "header cut off"),
    (
        listed(PLAIN + tlv(0xA5, tlv(0xA0, tlv(0x80, b"a") + component("b")))),
        "tag 81, expected one sequence of what to take of a selection",
    ),
    (listed(PLAIN + tlv(0xA5, tlv(0xA0, tlv(0x80, b"a") + tlv(0x30, b"")))), "an empty alternate access"),
]


@pytest.mark.parametrize(("octets", "reason"), MEANINGLESS)
def test_what_means_nothing_is_refused_in_words(octets: bytes, reason: str) -> None:
    with pytest.raises((ArgumentError, WireError)) as refused:
        decode(octets)
    assert isinstance(refused.value, ArgumentError | WireError)
    assert refused.value.reason == reason


def test_every_truncation_of_a_request_is_refused() -> None:
    whole = tlv(0xA0, variable("D", "LN$MX$A", select(index(2), component("cVal"))) + variable("D", "LN"))
    for length in range(len(whole)):
        with pytest.raises((ArgumentError, WireError)):
            access.decode(whole[:length], 0, length)


choices = st.one_of(
    st.builds(Component, st.text("abcXYZ09", min_size=1, max_size=8).map(str.encode)),
    st.builds(Range, st.integers(0, 1 << 31), st.just(1), st.just(True)),
    st.builds(Range, st.integers(0, 200), st.integers(0, 200), st.just(False)),
    st.just(Everything()),
)
chains = st.recursive(
    choices.map(AccessSelection),
    lambda inner: st.builds(AccessSelection, choices, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    max_leaves=6,
)


def depth(selection: AccessSelection) -> int:
    return 1 + max((depth(one) for one in selection.inner), default=0)


@given(chains.filter(lambda one: depth(one) <= access.SELECTION_DEPTH))
def test_a_selection_that_we_write_is_read_back_and_by_the_oracle(selection: AccessSelection) -> None:
    written = access.encode_variable(b"D", b"LN$MX$A", selection)
    assert decode(tlv(0xA0, written)) == (Variable(NAME, name("D", "LN$MX$A"), (selection,)),)
    value = mms_oracle.decoded(written, mms_oracle.VARIABLE)
    assert mms_oracle.native(value)["specification"] == {"name": {"domain": {"domain": "D", "item": "LN$MX$A"}}}


@given(st.binary(max_size=80))
def test_no_octets_make_the_decoder_stumble(octets: bytes) -> None:
    try:
        decode(octets)
    except (ArgumentError, WireError):
        return
