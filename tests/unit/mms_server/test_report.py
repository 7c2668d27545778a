"""Reports in segments: none is longer than the client takes, and together they are the whole report."""

import pytest

from mms_server.mms import report
from mms_server.mms.report import Body, Header, Members

FIELDS = [0b1111110110, 0b0000000000, 0b0001000000]


@pytest.mark.parametrize("flags", FIELDS)
@pytest.mark.parametrize(("members", "octets", "least"), [(9, 100, 400), (300, 3, 300), (2100, 3, 520), (2100, 4, 700)])
def test_no_segment_is_longer_than_the_client_takes_at_whatever_length(
    members: int, octets: int, least: int, flags: int
) -> None:
    told = Members([f"LD/LN$MX$A{number}" for number in range(members)])
    header = Header(
        "LD/LLN0$BR$block01", flags, 65535, 1_790_000_000_000_000_000, "LD/LLN0$all", 70_000, told, bytes(8)
    )
    data = tuple(bytes((0x89, octets - 2)) + number.to_bytes(octets - 2, "big")[-octets + 2 :] if octets > 4
                 else bytes((0x83, octets - 2)) + bytes(octets - 2) for number in range(members))  # fmt: skip
    body = Body(tuple((number, 0x10) for number in range(members)), data)
    for limit in range(least, least + 40):
        pdus = report.encode(header, body, limit)
        assert len(pdus) > 1
        assert max(map(len, pdus)) <= limit
        assert sum(pdu.count(data[0][:2]) for pdu in pdus) >= members
