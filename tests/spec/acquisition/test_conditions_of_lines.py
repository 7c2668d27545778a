"""Conditions of lines in virtual time: each channel leads to its name, is logged once, and a sound line has none."""

import pytest

from acquisition.drivers.registry import by_protocol
from acquisition.exchange.identity.conditions import ENDS_AFTER_S
from acquisition.exchange.identity.response_identity import LineIdentities
from acquisition.simulate.faults.line_faults import (
    Delay,
    Duplicate,
    HoldUntilNext,
    LineFault,
    Loss,
    Queue,
    ResetAfterRequest,
    SecondDevice,
    SecondMaster,
    Shared,
)
from mapping.plan import DevicePlan, LinePlan, PointPlan, PollSettings, Register, RegisterBlock, Reply, ReplyBlock
from tests.support.virtual_line import VirtualLine

Block = tuple[int, int]
TWO: tuple[Block, ...] = ((0, 10), (20, 10))
NINE: tuple[Block, ...] = ((0, 4), *((10 * place, 2) for place in range(1, 9)))


def meter(unit: int, blocks: tuple[Block, ...], *, max_gap: int | None = None, wide: bool = False) -> DevicePlan:
    """Blocks of holding registers, each register a point; `wide`: each block is one value."""
    points: list[PointPlan] = []
    made: list[RegisterBlock] = []
    for address, count in blocks:
        registers = (
            [Register("holding", address, "uint32" if count == 2 else "uint64", count)]
            if wide
            else [Register("holding", at, "uint16", 1) for at in range(address, address + count)]
        )
        numbers = tuple(unit * 1000 + one.address for one in registers)
        points += [
            PointPlan(number, f"m{unit}.r{one.address}", "", one, True, 3000, 20)
            for number, one in zip(numbers, registers, strict=True)
        ]
        made.append(RegisterBlock("holding", address, count, 20, numbers))
    polling = PollSettings(timeout_ms=300, max_gap=max_gap)
    return DevicePlan(f"m{unit}", unit, None, polling, tuple(points), tuple(made))


def line_plan(protocol: str, *devices: DevicePlan) -> LinePlan:
    serial = by_protocol()[protocol].serial
    settings: dict[str, str | int | float | bool] = (
        {"port": "", "baudrate": 19200} if serial else {"host": "", "port": 502}
    )
    return LinePlan("bench", protocol, settings, devices)


def line(protocol: str, *devices: DevicePlan, seed: int = 1) -> VirtualLine:
    return VirtualLine(line_plan(protocol, *devices), by_protocol()[protocol], seed=seed)


def names(of: VirtualLine) -> list[str]:
    return [one.name for one in of.line.state().conditions]


MASTER = {"unit": 1, "read": "holding 100-109", "every": "300ms"}
CHANNELS: dict[str, tuple[str, LineFault, list[str]]] = {
    "L1 on a wire": ("modbus-rtu", Queue(depth=8, surplus=1), ["surplus-frames"]),
    "L1 on a network": ("modbus-rtu-over-tcp", Queue(depth=8, surplus=1), ["surplus-frames"]),
    "L2": ("modbus-rtu-over-tcp", Duplicate(ms=40), ["surplus-frames"]),
    "L2 now and then": ("modbus-rtu", Duplicate(ms=40, share=0.05), ["surplus-frames"]),
    "L2 with transaction ids": ("modbus-tcp", Duplicate(ms=40), ["surplus-frames"]),
    "L3": ("modbus-rtu-over-tcp", HoldUntilNext(), ["late-answers", "holds-answers"]),
    "L4": ("modbus-rtu-over-tcp", Delay(ms=16_600), ["late-answers"]),
    "L4 with transaction ids": ("modbus-tcp", Delay(ms=700), ["late-answers"]),
    "L6": ("modbus-rtu", SecondMaster.model_validate(MASTER), ["second-master"]),
    "L7": ("modbus-rtu-over-tcp", Shared.model_validate(MASTER), ["shared-line"]),
    "L9": ("modbus-rtu-over-tcp", ResetAfterRequest(ms=10, share=0.1), ["late-answers"]),
    "L10": ("modbus-rtu", SecondDevice(unit=1, ms=115), ["two-devices"]),
    "plain loss": ("modbus-rtu", Loss(share=0.02), []),
}


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_leads_to_its_name_and_one_warning(channel: str) -> None:
    protocol, fault, expected = CHANNELS[channel]
    one = line(protocol, meter(1, TWO))
    one.run(3)
    one.channel.begin(fault, one.time.now)
    one.run(40)
    assert names(one) == expected
    for name in expected:
        assert sum(text.startswith(f"warning line bench: {name}: unit 1, ") for text in one.log) == 1


def test_a_condition_ends_ten_minutes_after_its_channel_and_the_log_has_one_line_for_it() -> None:
    one = line("modbus-rtu", meter(1, TWO))
    fault = Duplicate(ms=40, times=1)
    one.channel.begin(fault, one.time.now)
    one.run(5)
    (found,) = one.line.state().conditions
    assert (found.name, found.count) == ("surplus-frames", 1)
    assert 1000.0 <= found.since_ns / 1e9 < 1005.0
    one.time.now += ENDS_AFTER_S
    one.run(1)
    assert names(one) == []
    assert [text for text in one.log if "ended" in text] == [
        "info line bench: surplus-frames has ended, none for 10 min"
    ]


@pytest.mark.parametrize("protocol", ["modbus-rtu", "modbus-rtu-over-tcp", "modbus-tcp"])
def test_a_sound_line_of_twenty_thousand_exchanges_has_no_condition(protocol: str) -> None:
    one = line(protocol, meter(1, TWO), meter(2, ((0, 1),)))
    while one.line.counters.answers < 20_000:
        one.run(20)
    assert names(one) == []
    assert not [text for text in one.log if text.startswith("warning")]


# ---------------------------------------------------------------------- of the plan


def test_equal_blocks_that_cannot_be_varied_have_no_identity_and_no_warning() -> None:
    one = line("modbus-rtu", meter(1, NINE, max_gap=0, wide=True))
    (found,) = one.line.state().conditions
    expected = "8 of 9 requests have responses that silence alone identifies, 60 ms of it"
    assert (found.name, found.count, found.evidence) == ("no-identity", 8, expected)
    one.run(5)
    assert not [text for text in one.log if text.startswith("warning")]


@pytest.mark.parametrize(
    ("protocol", "device", "expected"),
    [
        ("modbus-tcp", meter(1, NINE, max_gap=0, wide=True), {"transaction id"}),
        ("modbus-rtu", meter(1, NINE, wide=True), {"size"}),
        ("modbus-rtu", meter(1, ((0, 2), (10, 4)), max_gap=0, wide=True), {"size"}),
        ("modbus-rtu", meter(1, ((0, 2), (10, 2)), max_gap=0, wide=True), {"silence only"}),
        ("modbus-rtu", meter(1, ((0, 3), (10, 3)), max_gap=0), {"size"}),
        ("modbus-rtu", meter(1, ((0, 2),), max_gap=0, wide=True), {"size"}),
    ],
)
def test_identity_is_a_property_of_the_plan(protocol: str, device: DevicePlan, expected: set[str]) -> None:
    plan = line_plan(protocol, device)
    known = LineIdentities(plan, by_protocol()[protocol])
    assert {known.identity(device, block) for block in device.blocks} == expected


@pytest.mark.parametrize(
    ("devices", "keys", "expected"),
    [
        ((meter(1, TWO),), {}, {"transaction id"}),
        ((meter(1, TWO), meter(2, TWO)), {}, {"size"}),
        ((meter(1, TWO), meter(2, TWO)), {"behind": "device"}, {"transaction id"}),
        ((meter(1, TWO),), {"behind": "gateway"}, {"size"}),
        ((meter(1, ((0, 2),), max_gap=0, wide=True), meter(2, ((0, 2),), max_gap=0, wide=True)), {}, {"silence only"}),
    ],
)
def test_behind_a_gateway_with_ids_the_requests_of_all_units_are_told_by_size(
    devices: tuple[DevicePlan, ...], keys: dict[str, str], expected: set[str]
) -> None:
    plan = LinePlan("bench", "modbus-tcp", {"host": "", "port": 502, **keys}, devices)
    known = LineIdentities(plan, by_protocol()["modbus-tcp"])
    assert {known.identity(one, block) for one in devices for block in one.blocks} == expected


@pytest.mark.parametrize(("requests", "expected"), [(["A"], "text"), (["A", "B"], "silence only")])
def test_a_line_of_text_with_a_second_question_rests_on_silence(requests: list[str], expected: str) -> None:
    points = tuple(
        PointPlan(number, f"s.{request}", "", Reply(request, "(?P<v>.*)", "v"), True, 3000, 1000)
        for number, request in enumerate(requests)
    )
    blocks = tuple(ReplyBlock(request, "", 1000, (number,)) for number, request in enumerate(requests))
    device = DevicePlan("s", 0, None, PollSettings(), points, blocks)
    plan = line_plan("serial-ascii", device)
    assert LineIdentities(plan, by_protocol()["serial-ascii"]).identity(device, blocks[0]) == expected
