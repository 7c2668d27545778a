"""A connection whose peer does not read, in virtual time: it holds little, and is cut off."""

import asyncio

import pytest

from mms_server.engine import Engine
from mms_server.model.tree import DataModel
from mms_server.network.connection.outlet import STUCK_CHECK_S, STUCK_S
from tests.support import models
from tests.support.client import request
from tests.support.engine_client import CLOCK, IDENTITY, write_body
from tests.support.memory_server import MemoryServer, Pipe, turns
from tests.support.wire import run
from tests.support.wire_data import bits, boolean, unsigned

LD, BRCB, URCB = "DEMOLD0", "LLN0$BR$history01", "LLN0$RP$events01"
ATTRIBUTES = {"BufTm": unsigned(0), "TrgOps": bits("011000"), "OptFlds": bits("0000000000"), "RptEna": boolean(True)}
HIGH = 2000
REPORT_OCTETS = 200  # more than one has


async def enabled(serving: MemoryServer, block: str) -> Pipe:
    """A client whose block is enabled, and that has read all so far."""
    pipe = await serving.associate()
    pairs = [(f"{block}${name}", data) for name, data in ATTRIBUTES.items()]
    pipe.connection.data_received(request(0xA5, write_body(LD, *pairs)))
    await turns()
    pipe.read()
    pipe.written.clear()
    return pipe


def events(serving: MemoryServer, *values: float) -> None:
    slot = serving.engine.model.find("LD0/MMXU1.TotW.mag.f")
    for value in values:
        serving.engine.commit([(slot, value)], CLOCK.now())
        for pipe in serving.pipes:
            pipe.connection.push()


def reports(pipe: Pipe) -> int:
    return pipe.written.count(bytes.fromhex("8003525054"))


def serving() -> MemoryServer:
    return MemoryServer(Engine(DataModel(models.demo()), IDENTITY))


@pytest.mark.conformance("BR-16")
@pytest.mark.parametrize("block", [BRCB, URCB])
def test_what_waits_for_a_client_that_does_not_read_is_bounded_and_goes_on_when_it_reads(block: str) -> None:
    async def scenario() -> None:
        here = serving()
        slow, quick = await enabled(here, block), await enabled(here, "LLN0$RP$events02")
        for first in (1000.0, 2000.0):  # it stops reading twice
            slow.high = HIGH
            for number in range(500):
                events(here, first + number)
                quick.read()
                assert slow.get_write_buffer_size() <= HIGH + REPORT_OCTETS
            assert (slow.is_reading(), quick.is_reading(), reports(quick)) == (False, True, 500)
            assert HIGH // REPORT_OCTETS <= reports(slow) < 100
            while slow.read():
                slow.connection.push()
            assert slow.is_reading()
            assert reports(slow) == 500  # its queue has kept them
            slow.written.clear()
            quick.written.clear()

    run(scenario())


@pytest.mark.conformance("BR-16")
@pytest.mark.parametrize("waits", [0.0, 3.0], ids=["from the start", "after others"])
def test_a_client_that_reads_nothing_for_thirty_seconds_is_cut_off_and_no_other(
    waits: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        here = serving()
        slow, quick = await enabled(here, BRCB), await enabled(here, "LLN0$RP$events02")
        await asyncio.sleep(waits)
        slow.high = HIGH
        events(here, *(float(number) for number in range(1, 101)))
        assert not slow.is_reading()
        await asyncio.sleep(STUCK_S - 1)
        slow.read(left=HIGH)  # a little, and then no more
        await asyncio.sleep(STUCK_S - 1)
        assert not slow.is_closing()
        await asyncio.sleep(STUCK_CHECK_S + 1)
        assert (slow.is_closing(), quick.is_closing()) == (True, False)
        assert caplog.messages[-1] == "cut off: no octet left for 30 s"

    run(scenario())


def test_a_client_that_reads_again_in_time_is_not_cut_off_later() -> None:
    async def scenario() -> None:
        here = serving()
        slow = await enabled(here, BRCB)
        slow.high = HIGH
        for first in (1000.0, 2000.0):
            events(here, *(first + number for number in range(100)))
            assert not slow.is_reading()
            await asyncio.sleep(STUCK_S - 1)
            while slow.read():
                slow.connection.push()
            await asyncio.sleep(2 * STUCK_S)
            assert (slow.is_reading(), slow.is_closing()) == (True, False)

    run(scenario())
