"""How good the stamps of a worker are: those of its clock, and no better than the exchange that they come from."""

import asyncio
from pathlib import Path

import pytest

from acquisition.decoding.point_readings import PointReading
from acquisition.decoding.scaling import Reading
from acquisition.worker import Worker
from bus import quality
from bus.clock import middle
from tests.support.sites import SITE, compile_folder, write_site

ROWS = "points:\n  LD0/GGIO1.AnIn1: io1.temperature\nunmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]\n"


@pytest.mark.conformance("TM-1")
def test_a_snapshot_claims_no_more_than_its_worst_stamp(tmp_path: Path) -> None:
    site = SITE + "clock: {source: assume-synchronized, accuracy: 1ms}\n"
    plan = compile_folder(write_site(tmp_path, ROWS, site)).plan
    assert plan is not None

    async def scenario() -> list[int]:
        worker = Worker(plan, "tcp", tmp_path)
        try:
            claimed = []
            for point, uncertainty_ns in ((0, 0), (1, 25_000_000), (0, 100_000), (1, 100_000)):
                worker._publish(
                    [PointReading(point, Reading(1.0, quality.GOOD))], middle(worker._clock.now(), uncertainty_ns)
                )
                claimed.append(worker._snapshot().time_quality)
            return claimed
        finally:
            worker._endpoint.close()

    assert asyncio.run(scenario()) == [0x89, 0x85, 0x85, 0x89]
