"""Reports of a running gateway: quiet at the start, then every change of the field once, whatever carries it."""

import struct

import pytest

from tests.support.client import Client
from tests.support.engine_client import read_request, variable
from tests.support.running import running, until
from tests.support.wire_data import bits, boolean, octets, unsigned

pytestmark = pytest.mark.system
LD, BRCB, URCB = "DEMOSCALE", "LLN0$BR$brcbStatus01", "LLN0$RP$urcbMeasurements01"


@pytest.mark.conformance("GW-1", "GW-4", "RP-3")
def test_the_field_is_reported_as_it_changes_and_the_start_is_no_event(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running(tmp_path_factory.mktemp("g"), "demo", "--mms-port", "0", "--http-port", "0") as gateway:
        client = Client(gateway.mms_port, timeout_s=10)
        assert client.associate()[0] == 0x0E
        gateway.simulator(set="scale", values={"weight": 100.0})
        weight = read_request(variable(LD, "GGIO1$MX$AnIn1$mag$f"))
        until(lambda: client.ask(0xA4, weight).endswith(struct.pack(">f", 100.0)), 10)
        pairs = [
            ("BufTm", unsigned(0)),
            ("TrgOps", bits("011000")),
            ("IntgPd", unsigned(0)),
            ("EntryID", octets(bytes(8))),
        ]
        assert client.write(LD, *((f"{BRCB}${name}", data) for name, data in pairs)) == ["success"] * 4
        assert client.write(LD, (f"{BRCB}$RptEna", boolean(True))) == ["success"]
        assert client.write(LD, *((f"{URCB}${name}", data) for name, data in pairs[:3])) == ["success"] * 3
        assert client.write(LD, (f"{URCB}$RptEna", boolean(True))) == ["success"]
        gateway.simulator(set="scale", values={"weight": 150.0})
        report = client.report()
        assert report is not None
        assert (report.rpt_id, report.reasons) == ("DEMOSCALE/LLN0.urcbMeasurements", ["010000"])
        gateway.simulator(fault="scale", kind="silent")
        seen: dict[str, list[str]] = {}

        def told() -> bool:
            one = client.report()
            assert one is not None
            seen.setdefault(one.rpt_id, []).extend(one.reasons)
            return {"DEMOSCALE/LLN0.urcbMeasurements", "DEMOSCALE/LLN0.brcbStatus"} <= seen.keys()

        until(told, 20)
        assert seen["DEMOSCALE/LLN0.urcbMeasurements"] == ["001000"]
        client.close()
