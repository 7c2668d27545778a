"""The judgement of `bench.torture`: which reading is right, foreign or too old, and which scene has recovered."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.torture import frames, site, table, values
from bench.torture.channels import ExceptionTwice, HoldsUntilNext, OneTwin, SecondDevice, Twins
from bench.torture.gateways import named
from bench.torture.lines import Channel, Line
from bench.torture.measure import Fault, Result, judge
from bench.torture.reader import Reading, Round
from bench.torture.scenes import SCENES, SERIAL
from bench.torture.values import Verdict
from mapping.diagnostics import render
from tests.support.sites import compile_folder

NOW = 1_800_000_000.02


def shown(unit: int, address: int, age: float) -> float:
    return float(values.number(unit, address, NOW - age))


@pytest.mark.parametrize(
    ("value", "stamp_age", "verdict"),
    [
        (shown(1, 100, 0.0), 0.0, Verdict.RIGHT),
        (shown(1, 100, 1.5), 1.4, Verdict.RIGHT),
        (shown(1, 100, -0.05), 0.0, Verdict.RIGHT),  # the simulator's clock is a tick ahead
        (shown(1, 100, 2.5), 2.4, Verdict.OLD),  # beyond the staleness limit
        (shown(1, 100, 1.5), 0.0, Verdict.OLD),  # `t` names another time
        (shown(1, 102, 0.0), 0.0, Verdict.FOREIGN),
        (shown(2, 100, 0.0), 0.0, Verdict.FOREIGN),
        (shown(1, 100, 0.0) + 0.5, 0.0, Verdict.FOREIGN),
        (float("nan"), 0.0, Verdict.FOREIGN),
    ],
)
def test_a_good_number_is_right_only_with_its_own_identity_and_time(
    value: float, stamp_age: float, verdict: Verdict
) -> None:
    assert values.judged(value, 1100, NOW - stamp_age, NOW, exchange_s=0.6, stale_s=2.0) is verdict


def test_a_coil_is_wrong_when_it_is_that_of_the_next_eight_or_of_the_next_unit() -> None:
    at = NOW + values.FLIP_S / 2
    held = values.coil(1, 0, at)
    assert values.judged_coil(held, 1, 7, at, 2.0) is Verdict.RIGHT
    assert values.judged_coil(held, 1, 8, at, 2.0) is Verdict.FOREIGN
    assert values.judged_coil(held, 2, 0, at, 2.0) is Verdict.FOREIGN


def test_the_check_sum_is_that_of_the_modbus_specification() -> None:
    assert frames.read_request(17, 3, 107, 3) == bytes.fromhex("1103006b00037687")


def test_two_registers_hold_the_float_and_an_odd_address_its_second_half() -> None:
    whole = values.word(1, 100, NOW) + values.word(1, 101, NOW)
    assert whole == b"".join(values.word(1, at, NOW) for at in (100, 101))
    answer = frames.answer_rtu({1: 1}, frames.read_request(1, 3, 101, 1))
    assert answer is not None
    assert answer[:3] == b"\x01\x03\x02"
    assert frames.answer_rtu({1: 1}, frames.read_request(2, 3, 100, 2)) is None


@pytest.mark.parametrize(
    ("answer", "request_octets", "shown_octets"),
    [
        (frames.answer_text, b"V?200\n", rb"1200\d{3}\r\n"),
        (frames.answer_text, b"?\n", None),
        (frames.answer_adam, b"#013\r", rb">\+3\d{3}\.0\r"),
        (frames.answer_adam, b"$016\r", None),
        (
            frames.answer_readout,
            b"/?2!\r",
            rb"/TOR-2\r\n\x0231\.7\.0\(2031\d{3}\*A\)\r\n32\.7\.0\(2032\d{3}\*V\)\r\n!\r\n\x03.",
        ),
        (frames.answer_readout, b"/?3!\r", None),
    ],
)
def test_lines_of_text_are_answered_with_the_identity_in_the_number(
    answer: frames.Answer, request_octets: bytes, shown_octets: bytes | None
) -> None:
    found = answer(request_octets)
    assert found is None if shown_octets is None else re.fullmatch(shown_octets, found or b"", re.DOTALL)


class Heard:
    """A port that keeps what it is given."""

    address = ""

    def __init__(self) -> None:
        self.octets: list[bytes] = []

    def send(self, octets: bytes) -> None:
        self.octets.append(octets)

    def close(self) -> None:
        self.octets.append(b"closed")


A, B = frames.read_request(1, 3, 0, 2), frames.read_request(1, 3, 100, 2)
OF_A, OF_B, OF_OTHER, REFUSED = b"\x01\x03\x04A", b"\x01\x03\x04B", b"\x01\x03\x04O", b"\x01\x83\x04"


async def answers(channel: Channel, *requests: bytes) -> list[bytes]:
    """The frames that the product sees, when it asks these one after the other."""
    line = Line(frames.take_rtu, lambda asked: OF_A if asked == A else OF_B, channel, 0.0)
    line.port = heard = Heard()
    channel.active = True
    for request in requests:
        line.received(request)
        await asyncio.sleep(0.02)
    line.close()
    assert heard.octets.pop() == b"closed"
    return heard.octets


@pytest.mark.parametrize(
    ("channel", "seen"),
    [
        (Channel, [OF_A, OF_B]),
        (lambda: OneTwin(1), [OF_A, OF_A, OF_B]),
        (lambda: Twins(1), [OF_A, OF_A, OF_B, OF_B]),
        (lambda: Twins(1, share=0.0), [OF_A, OF_B]),
        (HoldsUntilNext, [OF_A]),
        (lambda: ExceptionTwice(100, ms=1), [OF_A, REFUSED, REFUSED]),
    ],
)
def test_each_channel_shows_the_product_these_answers(channel: Callable[[], Channel], seen: list[bytes]) -> None:
    found = asyncio.run(answers(channel(), A, B))
    assert [one if octets.startswith(one) else octets for octets, one in zip(found, seen, strict=True)] == seen


def test_a_second_device_answers_with_an_identity_of_its_own() -> None:
    first, second = asyncio.run(answers(SecondDevice(1, 9, 1), A))
    assert first == OF_A
    assert second[:5] == b"\x01\x03\x04" + values.word(9, 0, NOW)


def rounds_of(wrong_until: float) -> list[Round]:
    """Twenty rounds of scene L0; the first point shows another register's value from 0.5 s to `wrong_until`."""
    points = SCENES["L0"].points()
    found = []
    for tenth in range(20):
        at = NOW + tenth / 10
        own = [float(values.number(one.block.unit, one.address, at)) for one in points]
        if 0.5 <= tenth / 10 < wrong_until:
            own[0] = own[1]
        found.append(Round(at, tuple(Reading(one, True, at) for one in own)))
    return found


@pytest.mark.parametrize(("wrong_until", "wrong", "recovered"), [(0.0, 0, 0.0), (1.25, 8, 0.3), (9.0, 15, None)])
def test_a_scene_has_recovered_when_all_is_right_to_its_end(
    wrong_until: float, wrong: int, recovered: float | None
) -> None:
    result = Result("L0", "", "script")
    judge(SCENES["L0"], rounds_of(wrong_until), Fault(NOW + 0.45, NOW + 0.95, NOW + 1.0), result)
    assert (result.good, result.wrong, result.old, result.availability) == (120, wrong, 0, 1.0)
    assert result.recovered_s == (None if recovered is None else pytest.approx(recovered, abs=0.001))


def test_what_is_not_good_is_neither_right_nor_wrong_and_not_available() -> None:
    rounds = rounds_of(9.0)
    rounds[7] = Round(rounds[7].at, (None, *(Reading(0.0, False, NOW) for _ in rounds[7].readings[1:])))
    result = Result("L0", "", "script")
    judge(SCENES["L0"], rounds, Fault(NOW + 0.45, NOW + 0.95, NOW + 1.0), result)
    assert (result.good, result.wrong, result.availability) == (114, 14, 0.8)
    assert table.row(result) == "| L0 |  | script | 114 | 14 | 0 | 80% | never | - |"


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([{"line": "line1", "load": 0.5}], []),
        (
            {"line1": {"conditions": [{"name": "surplus-frames"}, {"name": "late-answers"}]}},
            ["late-answers", "surplus-frames"],
        ),
        ([{"line": "a", "conditions": [{"name": "two-devices"}]}, {"line": "b"}], ["two-devices"]),
    ],
)
def test_the_conditions_of_all_lines_are_named_once(lines: object, names: list[str]) -> None:
    assert named({"lines": lines}) == names


def test_a_row_that_is_measured_anew_takes_the_place_of_the_old_one_and_the_others_stay() -> None:
    old = table.page([Result("L0", "sound", "ours", good=1), Result("L2", "twins", "ours", good=2)], "")
    new = table.page([Result("L2", "twins", "ours", good=3), Result("L1", "a twin", "plain", good=4)], old)
    rows = [line for line in new.splitlines() if line.startswith("| L")]
    assert [(line.split("|")[1].strip(), line.split("|")[4].strip()) for line in rows] == [
        ("L0", "1"),
        ("L1", "4"),
        ("L2", "3"),
    ]
    assert new.count("# The last table") == 1


@pytest.mark.parametrize("name", SCENES)
def test_the_site_of_every_scene_compiles_without_a_finding(name: str, tmp_path: Path) -> None:
    serial = SCENES[name].protocol in SERIAL
    site.write(tmp_path, SCENES[name], "/dev/nowhere" if serial else "127.0.0.1:1502")
    compiled = compile_folder(tmp_path)
    errors = [one for one in compiled.diagnostics.found if one.severity == "error"]
    assert compiled.plan is not None, render(compiled.diagnostics.found)
    assert errors == []
