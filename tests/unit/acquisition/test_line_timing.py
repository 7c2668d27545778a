"""Silence of a line as a table of times: 3.5 characters, the pauses of the site and of a device, and what breaks it."""

import pytest
from msgspec.structs import replace

from acquisition.drivers.registry import by_protocol
from acquisition.exchange.timing import FrameSilence, LineTiming
from mapping.plan import LinePlan, PollSettings
from tests.support.field import device

METER = device("meter", 1, [], [])
SLOW = replace(device("slow", 2, [], []), polling=PollSettings(pause_ms=100))


def timing(protocol: str = "modbus-rtu", **settings: int | str) -> LineTiming:
    return LineTiming.of(LinePlan("a", protocol, dict(settings), ()), by_protocol()[protocol])


@pytest.mark.parametrize(
    ("settings", "character_s", "silence_s"),
    [
        ({}, 10 / 9600, 3.5 * 10 / 9600),
        ({"baudrate": 19200, "parity": "even"}, 11 / 19200, 3.5 * 11 / 19200),
        ({"baudrate": 19200, "data_bits": 7, "stop_bits": 2}, 10 / 19200, 3.5 * 10 / 19200),
        ({"baudrate": 38400}, 10 / 38400, 0.00175),
    ],
)
def test_a_frame_waits_for_the_silence_of_its_line(
    settings: dict[str, int | str], character_s: float, silence_s: float
) -> None:
    found = timing("modbus-rtu", **settings)
    assert (found.character_s, found.silence_s) == pytest.approx((character_s, silence_s))
    assert FrameSilence(found, 5.0).free_at(METER) == pytest.approx(5.0 + silence_s)


def test_a_connection_has_no_silence_but_the_pauses_of_its_site() -> None:
    found = timing("modbus-tcp", delay_between=20, delay_after_connect=300)
    assert (found.character_s, found.silence_s, found.between_s, found.after_connect_s) == (0.0, 0.0, 0.02, 0.3)
    silence = FrameSilence(found, 0.0)
    assert silence.free_at(METER) == 0.0
    silence.opened(1.0)
    assert silence.free_at(METER) == 1.3
    silence.broken(1.2)
    assert silence.free_at(METER) == 1.3
    silence.exchange_ended(1, 2.0)
    assert silence.free_at(METER) == 2.02


def test_octets_begin_the_silence_anew_and_a_device_has_a_pause_of_its_own() -> None:
    silence = FrameSilence(timing(baudrate=115200), 0.0)
    silence.broken(4.0)
    assert silence.free_at(SLOW) == 4.00175  # it was not asked yet
    silence.exchange_ended(2, 5.0)
    silence.broken(5.01)
    assert silence.free_at(SLOW) == 5.1
    assert silence.free_at(METER) == pytest.approx(5.01175)
