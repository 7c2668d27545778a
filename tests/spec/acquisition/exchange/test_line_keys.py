"""Keys of a line and a device that say how responses are told apart: `behind`, `path`, `exact`, each with its second case."""

import pytest

from acquisition.simulate.faults.line_faults import Duplicate, GivesUp, Loss
from tests.support.channel_scenes import line_of, meter
from tests.support.virtual_line import VirtualLine

SIZE = 10  # registers of each block
BLOCKS = ((0, SIZE), (20, SIZE))
MANY = tuple((20 * at, SIZE) for at in range(8))  # more than a line can ask one after the other


def counts(line: VirtualLine, since: float = 0.0) -> set[int]:
    """The sizes of all reads that reached a device since then."""
    return {count for device in line.devices.values() for at, _, _, count in device.reads if at >= since}


def together(line: VirtualLine) -> int:
    """Reads that a device answered in the same millisecond as the one before: they were outstanding together."""
    return sum(
        later[0] - earlier[0] < 0.001
        for device in line.devices.values()
        for earlier, later in zip(device.reads, device.reads[1:], strict=False)
    )


# ---------------------------------------------------------------------- behind


@pytest.mark.parametrize(
    ("behind", "alike"), [({}, False), ({"behind": "gateway"}, False), ({"behind": "device"}, True)]
)
def test_two_units_of_a_line_need_no_differing_sizes_and_are_pipelined_where_the_id_names_the_device(
    behind: dict[str, str], alike: bool
) -> None:
    line = line_of("modbus-tcp", [meter(unit, *MANY, pipeline=4) for unit in (1, 2)], 1, **behind)
    line.run(2.0)
    assert (counts(line) == {SIZE}) is alike
    assert (together(line) > 50) is alike
    assert line.wrong() == []


@pytest.mark.parametrize(
    ("behind", "alike", "pipelined"),
    [({}, False, True), ({"behind": "gateway"}, False, False), ({"behind": "device"}, True, True)],
)
def test_one_unit_has_differing_sizes_from_the_start_where_a_gateway_is_possible(
    behind: dict[str, str], alike: bool, pipelined: bool
) -> None:
    line = line_of("modbus-tcp", [meter(1, *MANY, pipeline=4)], 1, **behind)
    line.run(2.0)
    assert (counts(line) == {SIZE}) is alike
    assert (together(line) > 50) is pipelined
    assert line.wrong() == []


@pytest.mark.parametrize(("behind", "alike"), [({}, False), ({"behind": "device"}, True)])
def test_no_time_out_makes_a_gateway_of_a_device(behind: dict[str, str], alike: bool) -> None:
    line = line_of("modbus-tcp", [meter(1, *BLOCKS)], 1, **behind)
    line.channel.begin(Loss(share=0.1), line.time.now)
    line.run(5.0)
    line.channel.end(line.time.now)
    lossless = line.time.now
    line.run(2.0)
    assert (counts(line, lossless) == {SIZE}) is alike
    assert line.wrong() == []


@pytest.mark.parametrize(("behind", "true"), [("gateway", True), ("device", False)])
def test_where_a_site_calls_a_gateway_a_device_its_late_answers_are_believed(behind: str, true: bool) -> None:
    line = line_of("modbus-tcp", [meter(unit, *BLOCKS) for unit in (1, 2)], 1, behind=behind)
    line.channel.begin(GivesUp(ms=200, share=0.3), line.time.now)
    line.run(20.0)
    assert (line.wrong() == []) is true


# ---------------------------------------------------------------------- path


def _is_asked_after_a_loss(path: dict[str, str], seconds: float) -> bool:
    """True if the size whose response was lost is asked for within the five seconds that begin so long after it."""
    line = line_of("modbus-rtu", [meter(1, *BLOCKS, max_gap=0, exact=False)], 1, **path)
    line.run(1.0)
    line.channel.begin(Loss(share=1.0), line.time.now)
    line.run(0.2)
    line.channel.end(line.time.now)
    lost = int.from_bytes(line.sent[-1][1][4:6], "big")
    line.run(seconds)
    since = line.time.now
    line.run(5.0)
    assert line.wrong() == []
    return lost in counts(line, since)


def test_on_a_network_a_missing_response_keeps_its_size_from_other_blocks_for_60_seconds() -> None:
    assert _is_asked_after_a_loss({}, 1.0)
    assert _is_asked_after_a_loss({"path": "wire"}, 1.0)
    assert not _is_asked_after_a_loss({"path": "network"}, 50.0)
    assert not _is_asked_after_a_loss({"path": "network"}, 70.0)  # for another 60 s it is used last
    assert _is_asked_after_a_loss({"path": "network"}, 130.0)


# ---------------------------------------------------------------------- exact


@pytest.mark.parametrize("exact", [True, None])
@pytest.mark.parametrize("fault", [Duplicate(ms=40), Loss(share=0.2)], ids=["twins", "losses"])
def test_nothing_is_read_that_no_point_names_whatever_comes(fault: Duplicate | Loss, exact: bool | None) -> None:
    line = line_of("modbus-rtu", [meter(1, (0, 4), (10, 4), (20, 6), exact=exact)], 1)
    line.channel.begin(fault, line.time.now)
    line.run(10.0)
    named = {*range(4), *range(10, 14), *range(20, 26)}
    read = {at for _, _, first, count in line.devices[1].reads for at in range(first, first + count)}
    assert (read <= named) is (exact is True)
    assert line.wrong() == []
