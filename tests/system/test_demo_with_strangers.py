"""The demo as strangers see it: browsed whole, read live, every PDU dissected."""

import asyncio
import json
import struct
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from bus.clock import time_quality
from bus.system_clock import kernel_state
from mapping.plan import Plan
from tests.support import strangers
from tests.support.running import ROOT, Gateway, until
from tests.support.sites import compile_folder

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def plan() -> Plan:
    compiled = compile_folder(ROOT / "hw_configs" / "demo")
    assert compiled.plan is not None
    return compiled.plan


def bound(plan: Plan) -> dict[str, tuple[str, str, float]]:
    """MMS name of each value leaf that a number feeds: device, point, and the factor from its unit."""
    points = plan.points()
    found = {}
    for binding in plan.ieds[0].objects:
        for source in binding.sources:
            point = points[source.point]
            if not source.values and point.unit and source.deadband is None:
                device, _, name = point.name.partition(".")
                for target in source.targets:
                    found[target] = (device, name, source.scale)
    return found


def demo_is_good(demo: Gateway) -> None:
    """Wait until every point of the demo has been read."""

    def good() -> bool:
        with urllib.request.urlopen(f"http://{demo.facts['http']}/api/status", timeout=5) as answer:
            shown = json.load(answer)
        return all(point["good"] for point in shown["points"]) and all(one["online"] for one in shown["devices"])

    until(good, 10)


def single(value: float) -> float:
    return float(struct.unpack(">f", struct.pack(">f", value))[0])


@pytest.mark.conformance("CNF-2", "SRV-1", "SRV-2", "SRV-3", "SRV-4", "DS-1")
def test_open61850_browses_the_whole_model_with_types_and_reads_every_leaf(demo: Gateway) -> None:
    client_module = strangers.module("open61850.mms.client")
    model_module = strangers.module("open61850.mms.model")
    client = client_module.MmsClient.connect("127.0.0.1", demo.mms_port)
    try:
        model = model_module.discover(client)
        references = [str(one) for one in model.references()]
        results = [client.read(one) for one in model.references()]
        assert len(references) == len(results) > 500
        sets = client.get_name_list(2, "DEMOMAIN")
        assert sets == ["LLN0$Energies", "LLN0$Measurements", "LLN0$Status"]
        names = client.get_name_list(0, "DEMOFEED1")
        assert names == sorted(names)
        assert "MMXU1$MX$PhV$phsA$cVal$mag$f" in names
    finally:
        client.close()


def test_iec61850_browses_and_reads_values_with_good_quality(demo: Gateway) -> None:
    iec61850 = strangers.module("iec61850")

    demo_is_good(demo)

    async def browse() -> tuple[dict[str, Any], list[Any], list[Any]]:
        connection = await iec61850.IedConnection.connect(f"127.0.0.1:{demo.mms_port}")
        model = await connection.get_device_model()
        power = await connection.read("DEMOFEED2/MMXU1.TotW", iec61850.FC.MX)
        measured = await connection.get_data_set_values("DEMOFEED2/LLN0.Measurements")
        await connection.disconnect()
        return model, power, measured

    model, power, measured = asyncio.run(browse())
    assert [ld["name"] for ld in model["logical_devices"]] == [
        "DEMOFEED1",
        "DEMOFEED2",
        "DEMOIO",
        "DEMOMAIN",
        "DEMOSCALE",
        "DEMOSOLAR",
    ]
    assert (power[2][:2], len(measured)) == (b"\x00\x00", 8)


def test_every_live_value_equals_what_the_simulated_registers_hold(demo: Gateway, plan: Plan) -> None:
    """Held still, each device is read through the whole gateway and compared by its profile's scale."""
    client = strangers.module("open61850.mms.client").MmsClient.connect("127.0.0.1", demo.mms_port)
    leaves = bound(plan)
    assert len(leaves) > 75
    try:
        for device in sorted({device for device, _, _ in leaves.values()}):
            held = demo.simulator(get=device)["values"]
            assert demo.simulator(set=device, values=held) == {"ok": True}
        held = {device: demo.simulator(get=device)["values"] for device in {device for device, _, _ in leaves.values()}}

        def equal(name: str) -> bool:
            device, point, factor = leaves[name]
            wanted = held[device][point] * factor
            read = client.read(name).value
            return bool(read == round(wanted) if isinstance(read, int) else single(read) == single(wanted))

        until(lambda: all(equal(name) for name in leaves), 15, lambda: [name for name in leaves if not equal(name)])
    finally:
        client.close()


def test_the_status_page_shows_what_the_gateway_knows(demo: Gateway) -> None:
    demo_is_good(demo)
    base = f"http://{demo.facts['http']}"
    with urllib.request.urlopen(f"{base}/api/status", timeout=5) as answer:
        shown = json.load(answer)
    assert set(shown["workers"].values()) == {"alive"}
    assert {device["device"]: device["online"] for device in shown["devices"]} == dict.fromkeys(
        ("main", "solar", "feeder1", "feeder2", "scale", "io1"), True
    )
    assert all(point["good"] for point in shown["points"])
    with urllib.request.urlopen(f"{base}/metrics", timeout=5) as answer:
        assert 'mms_gateway_device_online{device="feeder1"} 1.0' in answer.read().decode()
    with urllib.request.urlopen(f"{base}/api/events", timeout=5) as stream:
        assert json.loads(stream.readline().removeprefix(b"data: "))["site"] == "demo"
    with urllib.request.urlopen(f"{base}/", timeout=5) as page:
        assert b"EventSource" in page.read()


def test_tshark_dissects_every_pdu_without_a_malformed_packet(demo: Gateway, tmp_path: Path) -> None:
    tshark = strangers.program("tshark")
    client_module = strangers.module("open61850.mms.client")
    model_module = strangers.module("open61850.mms.model")
    capture, port = tmp_path / "mms.pcap", demo.mms_port
    sniffer = subprocess.Popen(
        [tshark, "-i", "lo", "-f", f"tcp port {port}", "-w", str(capture), "-q"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert sniffer.stderr is not None
        while "Capturing on" not in (line := sniffer.stderr.readline()):
            if not line:
                pytest.skip("tshark may not capture here")
        until(capture.exists, 5)
        client = client_module.MmsClient.connect("127.0.0.1", port)
        model = model_module.discover(client)
        for one in list(model.references())[:200]:
            client.read(one)
        client.close()
        until(lambda: _packets(tshark, capture, port, "mms") > 400, 20)
    finally:
        sniffer.terminate()
        sniffer.wait(5)
        if sniffer.stderr is not None:
            sniffer.stderr.close()
    assert _packets(tshark, capture, port, "_ws.malformed") == 0
    assert _packets(tshark, capture, port, "_ws.expert.severity == error && !tcp.analysis.flags") == 0
    assert _packets(tshark, capture, port, "acse") >= 2


def _packets(tshark: str, capture: Path, port: int, wanted: str) -> int:
    done = subprocess.run(
        [tshark, "-r", str(capture), "-d", f"tcp.port=={port},tpkt", "-Y", wanted],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return len(done.stdout.splitlines())


@pytest.mark.conformance("TM-1")
def test_time_stamps_are_of_now_and_say_how_exact_they_are(demo: Gateway) -> None:
    client = strangers.module("open61850.mms.client").MmsClient.connect("127.0.0.1", demo.mms_port)
    try:
        stamp = client.read("DEMOSCALE/GGIO1$ST$Ind1$t")
        octet = int(str(stamp).rpartition("q=")[2].rstrip(")"), 16)
        host = kernel_state()
        assert octet & 0xE0 == time_quality(host) & 0xE0
        assert octet & 0x1F in (range(21) if host.synchronized else (31,))
        assert time.strftime("%Y-%m-%d", time.gmtime()) in str(stamp)
    finally:
        client.close()
