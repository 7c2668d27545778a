"""The oracle's refusals: the element, its offset and the reason, in one line."""

import pytest

from tests.support import mms_oracle
from tests.support.mms_oracle import OracleError

REFUSED = [
    ("a10a 020101 a405 a103 8b01ff", "a1 > a4 > a1 > 8b at octet 9: its tag is not expected here"),
    ("a10d 020101 a408 a106 8301ff 9f4900", "a1 > a4 > a1 > 9f49 at octet 12: its tag is not expected here"),
    ("a10a 020101 a405 a103 8401ff", "a1 > a4 > a1 > 84 at octet 9: Trailing bits overflow 255"),
    ("a10b 020101 a405 a103 8301", "a1 > a4 > a1 > 83 at octet 9: cut off"),
    ("a3", "a3 at octet 0: cut off"),
    ("a103 020101", "a1 > 02 at octet 2: a component is missing in it or in what ends with it"),
    ("a10a 020101 a405 a103 8301ff 0000", "a1 > a4 > a1 > 83 at octet 9: 2 octets behind the PDU"),
    ("", "no element: cut off"),
]


def test_what_is_no_pdu_is_refused_in_one_line_that_says_which_element_at_which_offset() -> None:
    for octets, line in REFUSED:
        with pytest.raises(OracleError) as refused:
            mms_oracle.decode(bytes.fromhex(octets))
        assert str(refused.value) == f"mms oracle: {line}"


def test_the_traceback_of_a_refusal_is_short_and_has_nothing_of_the_specification() -> None:
    with pytest.raises(OracleError) as refused:
        mms_oracle.decode(bytes.fromhex(REFUSED[0][0]))
    assert len(str(refused.getrepr(style="long"))) < 3_000
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


def test_a_pdu_with_octets_missing_anywhere_is_refused_in_one_line() -> None:
    whole = bytes.fromhex("a10a020101a405a1038301ff")
    assert mms_oracle.decode(whole)["response"]["service"] == {"read": {"results": [{"success": {"boolean": True}}]}}
    for length in range(len(whole)):
        with pytest.raises(OracleError, match=r"^mms oracle: [^\n]{1,100}$"):
            mms_oracle.decode(whole[:length])
