"""A line on bad channels, in virtual time: nothing false is good, enough is good, and all is good again afterwards.

The names of the scenes begin with the cases that 0.1.0 did not pass: L1 to L16.
"""

from typing import Final

import pytest
from msgspec import structs

from acquisition.simulate.faults.line_faults import Delay
from tests.support.channel_scenes import faults_of, line_of, play
from tests.support.scenes_of_lines import LOSSES, ONE, SCENES, SERIAL_AND_TCP, SOUND_LINES, WITHOUT_REGISTERS, unsound

SEEDS: Final = (1,)
SOUND_EXCHANGES: Final = 4_000  # of each protocol; `make fuzz` has ten million of all


@pytest.mark.parametrize("name", SCENES)
def test_no_channel_makes_a_good_value_false_and_each_leaves_enough_that_is_good(name: str) -> None:
    scene, protocols = SCENES[name]
    for protocol in protocols:
        for seed in SEEDS:
            assert faults_of(play(scene, protocol, seed)) == [], (protocol, seed)


@pytest.mark.parametrize("name", WITHOUT_REGISTERS)
def test_no_channel_makes_a_good_number_false_on_lines_of_text_of_adam_modules_and_of_meters(name: str) -> None:
    scene, protocols = WITHOUT_REGISTERS[name]
    for protocol in protocols:
        for seed in SEEDS:
            assert faults_of(play(scene, protocol, seed)) == [], (protocol, seed)


@pytest.mark.parametrize("protocol", SERIAL_AND_TCP)
@pytest.mark.parametrize("name", LOSSES)
def test_two_exchanges_of_a_hundred_lost_leave_95_of_a_hundred_good(name: str, protocol: str) -> None:
    for seed in SEEDS:
        assert faults_of(play(LOSSES[name], protocol, seed)) == [], seed


@pytest.mark.parametrize("protocol", SOUND_LINES)
def test_on_a_sound_line_no_response_is_surplus_or_late_and_no_reading_is_taken_back(protocol: str) -> None:
    assert unsound(protocol, SOUND_EXCHANGES) == []


def test_an_answer_that_is_older_than_its_points_may_be_is_not_good() -> None:
    stale = tuple(structs.replace(point, stale_after_ms=200) for point in ONE[0].points)
    line = line_of("modbus-rtu-over-tcp", (structs.replace(ONE[0], points=stale),), 1)
    line.run(1.0)
    assert line.good()
    line.channel.begin(Delay(ms=250), line.time.now)  # within the time-out, which is 300 ms
    began = line.time.now
    line.run(3.0)
    assert line.good(began + 0.1) == []
    reasons = {reading.reading.reason for one in line.published if one.at > began + 0.1 for reading in one.read}
    assert reasons == {"its response came too late"}
