"""The timeline of faults, second by second, and what each kind does to a simulated device."""

from pathlib import Path

import pytest

from acquisition.drivers import modbus_device
from acquisition.drivers.base import Read, Write
from acquisition.drivers.device_side import Fault
from acquisition.drivers.registry import by_protocol
from acquisition.simulate.device import SimulatedDevice
from acquisition.simulate.faults.line_faults import Delay, Duplicate, LineFault, Loss
from acquisition.simulate.faults.register_range import register_range
from acquisition.simulate.timeline import Timeline, read_timeline
from mapping.diagnostics import Diagnostics, render
from mapping.plan import LinePlan, Plan, Reply, WorkerPlan
from tests.support.field import device, meter, point, register

READ = bytes.fromhex("0300000003")


def simulated() -> SimulatedDevice:
    points = [point(0, "io.big", register("holding", 0, "uint32", 2)), point(1, "io.small", register("holding", 2))]
    found = SimulatedDevice(device("io", 1, points, []))
    found.set("big", 0x00010002)
    found.set("small", 7)
    found.tick(0)
    return found


def site() -> Plan:
    """Device `io` on the line rs485-1, `drive` on lan, `scale` on bench; `memory` has its devices in the worker."""
    scale = device("scale", 1, [point(9, "scale.gross", Reply("SI", "(?P<value>.*)", "value"))], [])
    lines = (
        LinePlan("rs485-1", "modbus-rtu", {"port": "pty"}, (simulated().plan,)),
        LinePlan("lan", "modbus-tcp", {"host": "127.0.0.1"}, (meter("drive", 4, 5),)),
        LinePlan("bench", "serial-ascii", {"port": "pty"}, (scale,)),
        LinePlan("memory", "simulated", {}, (meter("inside", 1, 12),)),
    )
    return Plan("site", "site.yaml", (WorkerPlan("w", lines),), ())


def read(folder: Path, *entries: str) -> tuple[Timeline, str]:
    """The timeline of a file with these entries, and its diagnostics."""
    path = folder / "faults.yaml"
    path.write_text("faults:\n" + "".join(f"  - {{{one}}}\n" for one in entries), encoding="utf-8")
    found = Diagnostics()
    return read_timeline(path, site(), found), render(found).replace(f"{path}:", "")


def timeline(folder: Path, *entries: str) -> Timeline:
    found, said = read(folder, *entries)
    assert "error[" not in said, said
    return found


def answered(found: SimulatedDevice, ask: Read | Write) -> str:
    """The PDU that answers `ask` over RTU."""
    spec = by_protocol()["modbus-rtu"]
    turn = spec.devices({1: found}, {}).take(bytearray(spec.make().request(ask, 0)))
    assert turn is not None
    return turn.answer()[1:-2].hex()


def words(found: SimulatedDevice) -> str:
    return modbus_device.answer(found, READ).hex()


def test_a_fault_lasts_from_its_time_for_its_time(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 2s, for: 3s, device: io, kind: silent")
    seen = []
    for second in range(7):
        plan.apply({"io": io}, second)
        seen.append(io.fault is not None)
    assert seen == [False, False, True, True, True, False, False]


def test_a_fault_set_by_hand_outlives_the_end_of_another(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 1s, device: io, kind: silent")
    plan.apply({"io": io}, 0)
    by_hand = io.fault = Fault("late")
    plan.apply({"io": io}, 1)
    assert io.fault is by_hand


def test_of_two_faults_the_longer_goes_on_when_the_other_ends(tmp_path: Path) -> None:
    entries = ("at: 0s, for: 9s, device: io, kind: late", "at: 1s, for: 1s, device: io, kind: crc")
    io, plan = simulated(), timeline(tmp_path, *entries)
    seen = []
    for second in range(3):
        plan.apply({"io": io}, second)
        seen.append(None if io.fault is None else io.fault.kind)
    assert seen == ["late", "crc", "late"]


def test_a_busy_device_answers_after_so_many_requests(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 9s, device: io, kind: busy, times: 2")
    plan.apply({"io": io}, 0)
    first = words(io)
    plan.apply({"io": io}, 1)
    assert [first, words(io), words(io)] == ["8306", "8306", "0306000100020007"]


def test_swapped_words_are_those_of_values_of_several_registers(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 1s, device: io, kind: swapped")
    plan.apply({"io": io}, 0)
    assert words(io) == "0306000200010007"
    plan.apply({"io": io}, 1)
    assert words(io) == "0306000100020007"


def test_a_frozen_device_shows_what_it_showed(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 5s, device: io, kind: frozen")
    plan.apply({"io": io}, 0)
    io.fixed["small"] = 9
    io.tick(1)
    assert words(io) == "0306000100020007"
    plan.apply({"io": io}, 5)
    io.tick(6)
    assert words(io) == "0306000100020009"


def test_a_device_that_starts_is_silent_and_has_forgotten_what_was_written(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, for: 2s, device: io, kind: reboot")
    plan.apply({"io": io}, 0)
    assert (io.fault, io.fixed) == (Fault("silent"), {"big": 0x00010002, "small": 7})
    plan.apply({"io": io}, 2)
    assert (io.fault, io.fixed) == (None, {})


def test_a_fault_of_some_registers_is_met_by_requests_for_them_alone(tmp_path: Path) -> None:
    io, plan = simulated(), timeline(tmp_path, "at: 0s, device: io, kind: exception, code: 2, registers: holding 1-2")
    plan.apply({"io": io}, 0)
    asked = [Read(1, "holding", *span) for span in ((0, 1), (2, 1), (0, 3))] + [Write(1, 6, 2, (7,))]
    answers = [answered(io, one) for one in asked]
    assert answers == ["03020001", "8302", "8302", "8602"]
    plan.apply({"io": io}, 1)
    io.fault = None
    assert answered(io, asked[1]) == "03020007"


def test_a_fault_of_the_next_requests_is_over_after_them(tmp_path: Path) -> None:
    entry = "at: 0s, device: io, kind: exception, code: 2, registers: holding 2, next: 2"
    io, plan = simulated(), timeline(tmp_path, entry)
    seen = []
    for second in range(4):
        plan.apply({"io": io}, second)
        seen.append((answered(io, Read(1, "holding", 0, 1)), answered(io, Read(1, "holding", 2, 1))))
    assert seen == [("03020001", "8302")] * 2 + [("03020001", "03020007")] * 2


@pytest.mark.parametrize("protocol", ["modbus-ascii", "modbus-rtu", "modbus-tcp", "adam-ascii"])
def test_every_protocol_with_registers_knows_which_a_request_is_for(protocol: str) -> None:
    spec = by_protocol()[protocol]
    points = [
        point(0, "io.in", register("input", 0, "float32", 2)),
        point(1, "io.other", register("input", 2, "float32", 2)),
        point(2, "io.out", register("holding", 4, "float32", 2), write=register("holding", 4, "float32", 2)),
        point(3, "io.relay", register("coil", 5), write=register("coil", 5)),
    ]
    asks: dict[str, Read | Write] = {
        "input 0-1": Read(1, "input", 0, 2),
        "input 2-3": Read(1, "input", 2, 2),
        "holding 4-5": Write(1, 16, 4, (0x3F80, 0)),
        "coil 5": Write(1, 5, 5, (1,)),
        "coil 0-7": Read(1, "coil", 5, 1),
    }
    for chosen in ("input 0", "input 2", "holding 4", "coil 5"):
        io = SimulatedDevice(device("io", 1, points, []))
        io.tick(0)
        io.fault = Fault("silent", registers=register_range(chosen))
        silent = []
        for name, ask in asks.items():
            turn = spec.devices({1: io}, {}).take(bytearray(spec.make().request(ask, 0)))
            assert turn is not None
            if turn.answer() == b"":
                silent.append(name)
        assert silent == [name for name in asks if register_range(name).overlaps(register_range(chosen))]


class NotedLine:
    """A line that notes the faults it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, LineFault | None]] = []

    def begin(self, fault: LineFault) -> None:
        self.seen.append(("begin", fault))

    def end(self, fault: LineFault | None = None) -> None:
        self.seen.append(("end", fault))


def test_a_fault_of_a_line_begins_and_ends_once(tmp_path: Path) -> None:
    plan = timeline(tmp_path, "at: 2s, for: 3s, line: rs485-1, kind: duplicate, ms: 40, share: 0.05")
    line = NotedLine()
    seen = []
    for second in range(7):
        plan.apply({}, second, {"rs485-1": line})
        seen.append(len(line.seen))
    twin = Duplicate(ms=40, share=0.05)
    assert seen == [0, 0, 1, 1, 1, 2, 2]
    assert line.seen == [("begin", twin), ("end", twin)]


def test_of_two_faults_of_a_kind_the_longer_goes_on_and_other_kinds_are_left_alone(tmp_path: Path) -> None:
    plan = timeline(
        tmp_path,
        "at: 0s, for: 9s, line: lan, kind: delay, ms: 100",
        "at: 1s, for: 1s, line: lan, kind: delay, ms: 200",
        "at: 1s, line: lan, kind: loss, share: 1",
    )
    line = NotedLine()
    for second in range(4):
        plan.apply({}, second, {"lan": line})
    assert line.seen == [
        ("begin", Delay(ms=100)),
        ("begin", Delay(ms=200)),
        ("begin", Loss(share=1)),
        ("begin", Delay(ms=100)),
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("at: 0s, device: io, kind: reboot", "error[bad-value]: a reboot ends: expected `for`"),
        ("at: 0s, device: io, kind: |slow", "error[bad-value]: `slow` does not fit `kind`: expected "),
        ("at: 0s, device: |oi, kind: silent", "warning[unknown-device]: no device `oi`, its fault is passed over"),
        (
            "at: 0s, device: io, kind: silent, registers: |hold 1",
            "error[bad-value]: `hold 1` names no registers, expected them as `holding 100-101` or `coil 7`",
        ),
        (
            "at: 0s, device: io, kind: silent, registers: |holding 3-9",
            "error[bad-value]: no request to io is for holding 3-9",
        ),
        (
            "at: 0s, device: scale, kind: silent, registers: |holding 3",
            "error[bad-value]: no request to scale is for holding 3",
        ),
        ("at: 0s, device: io, kind: busy, |next: 3", "error[bad-value]: `next`: busy says by `times` how many "),
        ("at: 0s, device: io, kind: frozen, |next: 3", "error[bad-value]: `next` chooses requests, and frozen is "),
        ("at: 0s, line: rs485-1, kind: loss, |shar: 1", "error[unknown-key]: unknown key `shar`"),
        (
            "at: 0s, line: rs485-1, kind: loss, share: |2",
            "error[bad-value]: `2` does not fit `share`: expected at most 1",
        ),
        (
            "at: 0s, line: rs485-1, kind: |silent",
            "error[bad-value]: `silent` does not fit `kind`: expected `duplicate`, ",
        ),
        ("at: 0s, line: rs485-1", "error[missing-key]: `kind` is missing"),
        ("line: rs485-1, kind: loss", "error[missing-key]: `at` is missing"),
        ("at: 0s, line: |rs485-2, kind: loss", "error[unknown-line]: no line `rs485-2`"),
        (
            "at: 0s, line: lan, kind: |second_master, unit: 4, read: holding 0",
            "error[bad-value]: the line lan cannot have second_master: each answer has the id of its request",
        ),
        (
            "at: 0s, line: rs485-1, kind: second_master, unit: |4, read: holding 0",
            "error[bad-value]: the line rs485-1 cannot have second_master: its devices have the unit 1, none has 4",
        ),
        (
            "at: 0s, line: rs485-1, kind: second_master, unit: 1, read: |power",
            "error[bad-value]: the line rs485-1 cannot have second_master: `power` names no registers",
        ),
        (
            "at: 0s, line: rs485-1, kind: second_master, unit: 1, read: holding 0, every: |5",
            "error[bad-value]: `5` does not fit `every`: expected a text",
        ),
        (
            "at: 0s, line: memory, kind: |loss",
            "error[bad-value]: the line memory cannot have loss: its devices answer in the worker",
        ),
    ],
)
def test_what_is_wrong_with_an_entry_is_said_at_its_place(entry: str, said: str, tmp_path: Path) -> None:
    """The mark `|` stands before the place; without one it is the whole entry."""
    found, text = read(tmp_path, entry.replace("|", ""))
    column = len("  - {") + entry.find("|") + 1
    assert text.startswith(f"2:{column}: {said}"), text
    assert ("error[" in text) == (found.entries == [])


def test_an_entry_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults.yaml"
    path.write_text("faults: [7]\n", encoding="utf-8")
    found = Diagnostics()
    assert read_timeline(path, site(), found).entries == []
    assert render(found).startswith(f"{path}:1:10: error[bad-value]: ")


def test_a_mistake_comes_with_what_would_help(tmp_path: Path) -> None:
    _, key = read(tmp_path, "at: 0s, line: rs485-1, kind: loss, shar: 1")
    assert "did you mean `share`?" in key
    _, name = read(tmp_path, "at: 0s, line: rs485-2, kind: loss")
    assert "did you mean `rs485-1`?" in name
    _, kind = read(tmp_path, "at: 0s, line: lan, kind: second_master, unit: 4, read: holding 0")
    kinds = "duplicate, delay, queue, hold_until_next, reset_after_request, gives_up, mute_connection, loss, packing"
    assert f"lan can have {kinds}" in kind
    _, memory = read(tmp_path, "at: 0s, line: memory, kind: loss")
    assert "give faults to the devices of memory" in memory


def test_a_device_that_the_site_lacks_is_passed_over(tmp_path: Path) -> None:
    plan = timeline(tmp_path, "at: 0s, for: 1s, device: nobody, kind: silent")
    for second in range(3):
        plan.apply({"io": simulated()}, second)
