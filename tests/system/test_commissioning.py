"""The commands of commissioning as they are typed, with a simulated field, and beside the gateway that runs on it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mms_gateway.testing.running import SimulatedSite, simulated
from tests.support.running import ROOT, running, until

pytestmark = pytest.mark.system


@dataclass
class Typed:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


def type_(*words: object) -> Typed:
    done = subprocess.run(
        [sys.executable, "-m", "mms_gateway", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Typed(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedSite]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "hw_configs" / "demo", folder / "demo")
    with simulated(folder / "demo", folder) as found:
        yield found


def test_a_device_is_read_point_by_point(site: SimulatedSite) -> None:
    site.field["feeder2"].set(voltage_l1=231.5)
    done = type_("read", site.site, "feeder2", "voltage_l1", "frequency", "--lines", site.lines)
    header, voltage, frequency = done.out.splitlines()
    assert (done.code, done.err, header.split()) == (0, "", ["point", "value", "unit", "quality", "raw", "ms"])
    assert voltage.split()[:-1] == ["voltage_l1", "231.5", "V", "good", "090b", "0000"]
    assert frequency.split()[0] == "frequency"


def test_a_line_without_a_site_is_read_by_register(site: SimulatedSite) -> None:
    settings = next(line for worker in site.plan.workers for line in worker.lines if line.name == "lan-3").settings
    address = f"modbus-tcp://{settings['host']}:{settings['port']}"
    done = type_("read", "--line", address, "--register", "coil 4 bool", "--register", "input 9 int16")
    assert done.code == 0
    assert [line.split()[:4] for line in done.out.splitlines()[1:]] == [
        ["coil", "4", "bool", "false"],
        ["input", "9", "int16", "invalid"],
    ]


def test_a_line_is_scanned_and_its_devices_can_be_pasted(site: SimulatedSite) -> None:
    done = type_("scan", site.site, "rs485-1", "--units", "1-3", "--lines", site.lines)
    assert (done.code, done.err) == (0, "")
    first, second = done.out.partition("devices:\n")[2].splitlines()
    assert first.partition("  #")[0] == "  unit1: {line: rs485-1, unit: 1, profile: eastron-sdm630}"
    assert second.partition("  #")[0] == "  unit2: {line: rs485-1, unit: 2, profile: carlo-gavazzi-em340}"


def test_an_address_is_guessed(site: SimulatedSite) -> None:
    done = type_("guess", site.site, "feeder1", 0, "--pause", "100ms", "--rows", 1, "--lines", site.lines)
    assert done.code == 0
    assert done.out.splitlines()[1].split()[:4] == ["1.00", "input", "0", "float32"]


def test_a_line_is_recorded_and_replayed(site: SimulatedSite, tmp_path: Path) -> None:
    file, lines = tmp_path / "frames.jsonl", tmp_path / "replayed.yaml"
    done = type_("record", site.site, "lan-1", file, "--seconds", 2, "--lines", site.lines)
    assert done.code == 0
    head, *frames = (json.loads(line) for line in file.read_text().splitlines())
    assert done.out == f"{len(frames)} frames of line lan-1 in {file}\n"
    assert (head["line"], head["protocol"]) == ("lan-1", "modbus-tcp")
    command = [sys.executable, "-m", "mms_gateway", "replay", str(file), "--out", str(lines)]
    replaying = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert replaying.stdout is not None
        assert replaying.stdout.readline().startswith("line lan-1 at 127.0.0.1:")
        again = type_("record", site.site, "lan-1", tmp_path / "again.jsonl", "--seconds", 2, "--lines", lines)
        assert again.code == 0
    finally:
        replaying.terminate()
        replaying.communicate(timeout=10)
    assert replaying.returncode == 0
    replayed = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()[1:]]
    answered = {one["in"][4:] for one in frames if "in" in one}
    assert {one["in"][4:] for one in replayed if "in" in one} <= answered


def test_a_running_gateway_is_watched_explained_and_left_alone(site: SimulatedSite, tmp_path: Path) -> None:
    state = site.site / "state"
    words = ("run", str(site.site), "--lines", str(site.lines), "--mms-port", "DEMO=0")
    with running(tmp_path, *words):
        site.field["feeder2"].set(total_active_power=4321.0)
        until(lambda: " 4321  W " in type_("watch", site.site, "feeder2", "--once").out, 10)
        shown = {
            line.split()[0].partition(".")[0]
            for line in type_("watch", site.site, "feeder2", "--once").out.splitlines()
        }
        assert shown == {"point", "feeder2"}

        done = type_("explain", site.site, "FEED2/MMXU1.TotW")
        said = dict(line.strip().split("  ", 1) for line in done.out.splitlines()[1:])
        assert done.code == 0
        assert said["now"].strip().startswith("feeder2.total_active_power is 4321 W, good, ")
        assert said["served"].strip().startswith("4321, good, ")

        held = "held by the running gateway: end that first, or use `mms-gateway watch"
        for command in (
            ("read", site.site, "feeder1"),
            ("scan", site.site, "lan-1"),
            ("guess", site.site, "feeder1", 0),
        ):
            refused = type_(*command, "--lines", site.lines)
            assert (refused.code, refused.out, held in refused.err) == (2, "", True), command
        assert type_("read", site.site, "main", "frequency", "--lines", site.lines).code == 0
        assert "lan-1: held by the running gateway" in type_("doctor", site.site, "--lines", site.lines).out
    assert not (state / "gateway.json").exists()
    gone = type_("watch", site.site)
    assert (gone.code, gone.err) == (
        2,
        f"mms-gateway: no gateway runs with the state folder {state}: `mms-gateway run` starts one\n",
    )


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("read",), 64, "`read` takes SITE DEVICE [POINT...], or --line"),
        (("read", "--line", "modbus-tcp://127.0.0.1:1"), 64, "nothing to read: name points, a --profile or a --register"),
        (
            ("read", "--line", "modbus-tcp://127.0.0.1:1", "--register", "holding 0 int16"),
            1,
            "127.0.0.1:1: connect call failed ('127.0.0.1', 1)",
        ),
        (("scan",), 64, "`scan` takes SITE LINE, or --line"),
        (
            ("scan", "--line", "serial-ascii:/dev/x"),
            64,
            "line `line` is serial-ascii: only Modbus lines have units that can be asked",
        ),
        (
            ("scan", "--line", "modbus-tcp://127.0.0.1:1", "--units", "x"),
            64,
            "`x` is no list of units, expected one as 1-247 or 1,2,17",
        ),
        (("guess", "hw_configs/demo", "scale", "0"), 64, "`scale` is on a serial-ascii line: it has no registers to guess"),
        (
            ("record", "hw_configs/demo", "lan-9", "x"),
            2,
            "no line `lan-9` in hw_configs/demo: did you mean `lan-1`, `lan-2` or `lan-3`?",
        ),
        (("replay", "nowhere.jsonl"), 2, "nowhere.jsonl: no such file or directory"),
        (("replay", "README.md"), 2, "README.md: line 1 is no head of a recording"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(words: tuple[str, ...], code: int, text: str) -> None:
    done = type_(*words)
    assert (done.code, done.out, done.err) == (code, "", f"mms-gateway: {text}\n")
