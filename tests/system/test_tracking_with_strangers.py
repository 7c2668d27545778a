"""Service tracking as strangers see it: one operates, another gets a report of it, and both read the record."""

import asyncio
import queue
from pathlib import Path
from typing import Any

import pytest

from tests.support import strangers
from tests.support.running import running

pytestmark = pytest.mark.system
OPERATE, COMMAND_TERMINATION = 46, 47
SPC, GENERIC = 0, 6  # members of the data set


@pytest.mark.conformance("TRK-1")
def test_what_a_rust_client_does_is_reported_to_a_python_client(tmp_path: Path) -> None:
    rust, mms = strangers.module("iec61850"), strangers.module("open61850.mms")
    rcb = strangers.module("open61850.mms.rcb")
    came: queue.Queue[Any] = queue.Queue()

    async def operate(port: int) -> tuple[str, int, int]:
        connection = await rust.IedConnection.connect(f"127.0.0.1:{port}")
        control = connection.create_control_object("DEMOIO/GGIO1.SPCSO3", rust.ControlModel.DIRECT_ENHANCED)
        assert (await control.operate(True)).success
        first = came.get(timeout=5), came.get(timeout=5)
        assert [[entry.index for entry in one.entries] for one in first] == [[SPC], [SPC]]
        record = "DEMOIO/LTRK1.SpcTrk"
        shown = (
            await connection.read_string(f"{record}.objRef", rust.FC.SR),
            await connection.read_int32(f"{record}.serviceType", rust.FC.SR),
            await connection.read_int32(f"{record}.errorCode", rust.FC.SR),
        )
        await connection.write_visible_string("DEMOIO/LLN0.NamPlt.d", rust.FC.DC, "renamed")
        await connection.disconnect()
        return shown

    with (
        running(tmp_path, "serve", "hw_configs/demo/demo.icd", "--port", "0", "--simulate-process") as server,
        mms.MmsClient.connect("127.0.0.1", server.mms_port) as watcher,
    ):
        watcher.add_report_listener(lambda message, *_: came.put(mms.decode_report(message)))
        block = mms.ObjectName("LLN0$RP$urcbTracking01", "DEMOIO")
        settings = rcb.RcbSettings(trg_ops=None, opt_flds=None, intg_pd_ms=None, general_interrogation=False)
        rcb.enable(watcher, block, settings)
        own = came.get(timeout=5)  # enabling it is a tracked service too
        assert own.entries[0].reason.data_update
        shown = asyncio.run(operate(server.mms_port))
        assert shown == ("DEMOIO/GGIO1.SPCSO3", COMMAND_TERMINATION, 0)
        assert [entry.index for entry in came.get(timeout=5).entries] == [GENERIC]
        assert came.empty()
