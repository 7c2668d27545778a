"""Writes, data sets and reports as strangers' clients do them: Rust, Python and libIEC61850."""

import asyncio
import contextlib
import queue
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mms_server import IedServer
from tests.support import strangers
from tests.support.libiec61850 import LibIec61850
from tests.support.running import ROOT, until

pytestmark = pytest.mark.system
DEMO = ROOT / "hw_configs" / "demo" / "demo.icd"
POWER = "MAIN/MMXU1.TotW.mag.f"
URCB, BRCB = "urcbMeasurements01", "brcbEnergies01"
COUNTER = "MAIN/MMTR1.DmdWh.actVal"


@pytest.fixture
def server() -> Iterator[IedServer]:
    made = IedServer.from_scl(DEMO)
    made.allow_writes("CF", "DC")
    made.start(port=0, host="127.0.0.1")
    yield made
    made.stop()


@pytest.mark.conformance("RP-2", "RP-3", "RP-11")
def test_open61850_enables_interrogates_and_gets_changes(server: IedServer) -> None:
    client_module = strangers.module("open61850.mms")
    rcb = strangers.module("open61850.mms.rcb")
    came: queue.Queue[Any] = queue.Queue()
    with client_module.MmsClient.connect("127.0.0.1", server.port) as client:
        client.add_report_listener(lambda message, *_: came.put(client_module.decode_report(message)))
        block = client_module.ObjectName(f"LLN0$RP${URCB}", "DEMOMAIN")
        settings = rcb.RcbSettings(
            intg_pd_ms=0,
            buf_tm_ms=0,
            opt_flds=client_module.OptFlds(sequence_number=True, reason_for_inclusion=True, data_reference=True),
        )
        rcb.enable(client, block, settings)
        whole = came.get(timeout=5)
        assert (whole.seq_num, len(whole.entries), all(whole.inclusion)) == (0, 8, True)
        assert all(entry.reason.general_interrogation for entry in whole.entries)
        server.update({POWER: 4.5})
        change = came.get(timeout=5)
        assert (change.seq_num, [entry.reference for entry in change.entries]) == (1, ["DEMOMAIN/MMXU1$MX$TotW"])
        assert change.entries[0].reason.data_change
        rcb.disable(client, block)
        assert rcb.read_status(client, block).free


@pytest.mark.conformance("RP-2", "BR-1..3, 8", "DS-2", "DS-4", "SRV-6")
def test_iec61850_writes_makes_data_sets_and_gets_reports_of_both_kinds(server: IedServer) -> None:
    stranger = strangers.module("iec61850")

    async def talk() -> None:
        connection = await stranger.IedConnection.connect(f"127.0.0.1:{server.port}")
        await connection.write_visible_string("DEMOMAIN/LLN0.NamPlt.d", stranger.FC.DC, "renamed")
        assert server.get_value("MAIN/LLN0.NamPlt.d") == "renamed"
        with pytest.raises(stranger.IedDataAccessError, match=r"(?i)denied"):
            await connection.write_float("DEMOMAIN/MMXU1.TotW.mag.f", stranger.FC.MX, 1.0)
        power = stranger.DataSetMember("DEMOMAIN/MMXU1.TotW.mag.f", stranger.FC.MX)
        energy = stranger.DataSetMember("DEMOMAIN/MMTR1.DmdWh", stranger.FC.ST)
        with contextlib.suppress(stranger.IedServiceError):  # it made it, and expects another form of the answer's NULL
            await connection.create_data_set("DEMOMAIN/LLN0.mine", [power, energy])
        directory = await connection.get_data_set_directory("DEMOMAIN/LLN0.mine")
        assert [member.object_ref for member in directory.members] == [power.object_ref, energy.object_ref]

        came: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        for kind, name in (("RP", URCB), ("BR", BRCB)):
            reference = f"DEMOMAIN/LLN0.{kind}.{name}"
            block = await connection.get_rcb_values(reference)
            await connection.install_report_handler(
                reference, lambda one: loop.call_soon_threadsafe(came.put_nowait, one), rpt_id=block.rpt_id
            )
            block.dataset = "DEMOMAIN/LLN0$mine"
            block.buf_time_ms, block.rpt_ena = 0, True
            mask = stranger.RcbWriteMask()
            for attribute in ("dataset", "buf_time", "rpt_ena"):
                mask = _with(stranger, mask, attribute)
            await connection.set_rcb_values(block, mask)
        dispatcher = connection.spawn_report_dispatcher(20)
        server.update({POWER: 4.5, COUNTER: 7})
        reports = [await asyncio.wait_for(came.get(), 5) for _ in range(2)]
        assert [len(report.entries) for report in reports] == [2, 2]
        assert sorted(bool(report.entry_id) for report in reports) == [False, True]
        assert {report.conf_rev for report in reports} == {2}
        await dispatcher.aclose()
        with pytest.raises(stranger.IedServiceError, match=r"class=Service"):  # a report refers to it
            await connection.delete_data_set("DEMOMAIN/LLN0.mine")
        await connection.disconnect()

    asyncio.run(talk())


def _with(stranger: Any, mask: Any, attribute: str) -> Any:
    return stranger.RcbWriteMask(mask.bits | stranger.RcbWriteMask._BITS[attribute])


@pytest.fixture
def libiec61850(server: IedServer) -> Iterator[LibIec61850]:
    client = LibIec61850()
    assert client.ask("connect", server.port) == 0
    yield client
    client.end()


TRIGGERS, FIELDS = 1 | 2 | 4 | 8 | 16, 0xFF  # as libIEC61850 numbers them


@pytest.mark.conformance("RP-2", "RP-3", "RP-11", "SRV-6", "SRV-N4", "DS-2", "DS-N8")
def test_libiec61850_writes_and_gets_unbuffered_reports(server: IedServer, libiec61850: LibIec61850) -> None:
    ask = libiec61850.ask
    assert ask("write_text", "DEMOMAIN/LLN0.NamPlt.d", "DC", "renamed") == 0
    assert ask("read", "DEMOMAIN/LLN0.NamPlt.d", "DC") == "renamed"
    assert ask("write_float", "DEMOMAIN/MMXU1.TotW.mag.f", "MX", 1.0) == 21  # IED_ERROR_ACCESS_DENIED
    assert ask("define", "DEMOMAIN", "LLN0$mine", ["MMXU1$MX$TotW$mag$f", "MMXU1$MX$TotVAr"]) == 0
    block = f"DEMOMAIN/LLN0.RP.{URCB}"
    assert ask("rcb", block, {"DatSet": "DEMOMAIN/LLN0$mine"}) == 0
    assert ask("listen", block, ask("show", block)["RptID"]) is True
    enabled = {"TrgOps": TRIGGERS, "OptFlds": FIELDS, "BufTm": 0, "IntgPd": 0, "RptEna": True}
    assert ask("rcb", block, enabled) == 0
    assert ask("rcb", block, {"GI": True}) == 0
    whole = libiec61850.reports.get(timeout=5)
    assert (whole["sq_num"], whole["reasons"], whole["values"][0]) == (0, [16, 16], 0.0)
    server.update({POWER: 4.5})
    change = libiec61850.reports.get(timeout=5)
    assert (change["sq_num"], change["reasons"], change["values"]) == (1, [1, 0], [4.5, None])
    assert ask("delete", "DEMOMAIN/LLN0.mine")[0] is False
    assert ask("show", block)["ConfRev"] == 2


@pytest.mark.conformance("BR-4", "BR-5")
def test_libiec61850_goes_on_with_its_entry_id(server: IedServer, libiec61850: LibIec61850) -> None:
    ask, block = libiec61850.ask, f"DEMOMAIN/LLN0.BR.{BRCB}"
    rpt_id = ask("show", block)["RptID"]
    assert ask("rcb", block, {"TrgOps": TRIGGERS, "OptFlds": FIELDS, "BufTm": 0, "IntgPd": 0}) == 0
    assert ask("listen", block, rpt_id) is True
    server.update({COUNTER: 1})
    assert ask("rcb", block, {"RptEna": True}) == 0
    first = libiec61850.reports.get(timeout=5)
    assert (first["values"][0][0], first["overflow"]) == (1, False)
    assert ask("close") == 0
    server.update({COUNTER: 2})
    server.update({COUNTER: 3})
    back = LibIec61850()
    assert back.ask("connect", server.port) == 0
    assert back.ask("listen", block, rpt_id) is True
    assert back.ask("rcb", block, {"EntryID": first["entry_id"]}) == 0
    assert back.ask("rcb", block, {"RptEna": True}) == 0
    later = [back.reports.get(timeout=5) for _ in range(2)]
    back.end()
    assert [(one["values"][0][0], one["sq_num"], one["overflow"]) for one in later] == [(2, 0, False), (3, 1, False)]


@pytest.mark.conformance("RP-5", "RP-2")
def test_tshark_reads_every_report_without_a_malformed_packet(server: IedServer, tmp_path: Path) -> None:
    from tests.support.client import Client
    from tests.support.wire_data import bits, boolean, unsigned

    tshark = strangers.program("tshark")
    capture = tmp_path / "reports.pcapng"
    recording = subprocess.Popen(
        [tshark, "-i", "lo", "-f", f"tcp port {server.port}", "-w", str(capture), "-q"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert recording.stderr is not None
    while "Capturing on" not in (line := recording.stderr.readline()):
        if not line:
            pytest.skip("tshark may not capture here")
    until(capture.exists, 5)
    client = Client(server.port or 0)
    assert client.associate()[0] == 0x0E
    got = 0
    for kind, name in (("RP", URCB), ("BR", BRCB)):
        pairs = [
            ("OptFlds", bits("0111111111")),
            ("BufTm", unsigned(0)),
            ("RptEna", boolean(True)),
            ("GI", boolean(True)),
        ]
        assert (
            client.write("DEMOMAIN", *((f"LLN0${kind}${name}${key}", data) for key, data in pairs)) == ["success"] * 4
        )
    server.update({POWER: 4.5, COUNTER: 9})
    while got < 4:
        assert client.report() is not None
        got += 1
    client.close()

    def packets(wanted: str) -> int:
        done = subprocess.run(
            [tshark, "-r", str(capture), "-d", f"tcp.port=={server.port},tpkt", "-Y", wanted],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return len(done.stdout.splitlines())

    until(lambda: packets("mms.informationReport_element") >= 2, 20, lambda: packets("mms"))
    recording.terminate()
    recording.wait(10)
    recording.stderr.close()
    assert packets("_ws.malformed") == 0
    assert packets("_ws.expert.severity == error && !tcp.analysis.flags") == 0
