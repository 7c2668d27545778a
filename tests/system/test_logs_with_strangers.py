"""Logs as a stranger's client reads them."""

import asyncio
import time
from typing import Any

import pytest

from mms_server import IedServer
from tests.support import strangers
from tests.support.running import ROOT

pytestmark = pytest.mark.system
LOG = "DEMOIO/LLN0$IO"
EVENTS = 1500


@pytest.mark.conformance("LOG-1", "LOG-2", "LOG-N1")
def test_a_rust_client_reads_a_log_by_time_and_after_an_entry_page_by_page() -> None:
    stranger = strangers.module("iec61850")
    server = IedServer.from_scl(ROOT / "hw_configs" / "demo" / "demo.icd")
    server.start(port=0, host="127.0.0.1")
    for number in range(EVENTS):
        server.update({"IO/GGIO1.SPCSO1.stVal": number % 2 == 0})

    async def read() -> list[Any]:
        connection = await stranger.IedConnection.connect(f"127.0.0.1:{server.port}")
        now_ms = int(time.time() * 1000)
        page, more = await connection.query_journal_by_time(LOG, now_ms - 60_000, now_ms + 60_000)
        found = list(page)
        assert more
        while more:
            page, more = await connection.query_journal_after_entry(LOG, found[-1].time_ms, found[-1].entry_id)
            found += page
        assert await connection.query_journal_by_time(LOG, 0, 1000) == ([], False)
        with pytest.raises(stranger.IedServiceError):
            await connection.query_journal_by_time("DEMOIO/LLN0$none", 0, 1000)
        await connection.disconnect()
        return found

    found = asyncio.run(read())
    server.stop()
    assert len({entry.entry_id for entry in found}) == len(found) == EVENTS
    rows = [row for entry in found for row in entry.variables]
    assert {(row.data_ref, row.reason_code) for row in rows} == {("DEMOIO/GGIO1$ST$SPCSO1", 0x40)}
    assert [row.value[2] for row in rows] == [number % 2 == 0 for number in range(EVENTS)]
