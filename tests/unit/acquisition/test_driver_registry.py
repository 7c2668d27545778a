"""Drivers of other packages, by the entry point group `mms_gateway.drivers`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import msgspec
import pytest

from acquisition.drivers import registry
from acquisition.drivers.registry import GROUP, by_protocol, collected, driver_of, protocols
from acquisition.event_loop import loop_factory
from acquisition.simulate.playback import parse
from bus.plugins import PluginError
from mapping import plan as plans
from mapping.compile import compile_site
from mapping.diagnostics import render
from mapping.plan import LinePlan, RegisterBlock, WorkerPlan, sealed
from tests.support.sites import compile_folder, write_site

ROOT = Path(__file__).parents[3]
FOREIGN = ROOT / "tests" / "cases" / "foreign_driver"
SITE = """\
site: bench
ieds:
  IO: {scl: io.icd, map: map.yaml, listen: "127.0.0.1:0"}
lines:
  far: {protocol: line-registers, host: 127.0.0.1, port: 7001}
devices:
  well:
    line: far
    unit: 3
    points:
      level: {read: input 40 float32, unit: A}
      depth: {read: input 90 float32, unit: A}
"""
MAP = "points: {LD0/GGIO1.AnIn1: well.level}\nunmapped: [LD0/GGIO1, LD0/MMTR1, LD0/XCBR1]\n"


def entry(value: str) -> EntryPoint:
    return EntryPoint("any", value, GROUP)


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(FOREIGN))
    yield
    sys.modules.pop("line_registers", None)


def installed_in(folder: Path, value: str = "line_registers:DRIVER") -> Path:
    """A folder that has the driver as an installer leaves it: the module beside what is known of its package."""
    shutil.copy(FOREIGN / "line_registers.py", folder)
    known = folder / "line_registers_driver-1.0.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: line-registers-driver\nVersion: 1.0\n")
    (known / "entry_points.txt").write_text(f"[{GROUP}]\nline-registers = {value}\n")
    return folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(installed_in(tmp_path)))
    registry.by_protocol.cache_clear()
    yield tmp_path
    registry.by_protocol.cache_clear()
    sys.modules.pop("line_registers", None)


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m WORDS` where the packages in `folder` are installed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(folder), str(ROOT)))}
    return subprocess.run(
        [sys.executable, "-P", "-m", *words], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.usefixtures("importable")
def test_a_driver_of_another_package_stands_beside_ours() -> None:
    ours, all_ = collected(()), collected([entry("line_registers:DRIVER")])
    assert all_.keys() - ours.keys() == {"line-registers"}
    assert list(all_)[: len(ours)] == list(ours)


def test_two_drivers_of_one_protocol_are_an_error_that_names_both() -> None:
    with pytest.raises(PluginError) as refused:
        collected([entry("acquisition.drivers.modbus_tcp:DRIVER")])
    assert str(refused.value) == (
        "acquisition.drivers.modbus_tcp and driver acquisition.drivers.modbus_tcp:DRIVER both claim `modbus-tcp`"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("not_there:DRIVER", "ModuleNotFoundError: No module named 'not_there'"),
        ("acquisition.drivers.modbus_tcp:PASSENGER", "AttributeError: "),
        ("broken_driver:DRIVER", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_driver_that_cannot_be_imported_is_said_with_the_reason(
    value: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_driver.py").write_text("DRIVER = 1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError) as refused:
        collected([entry(value)])
    assert str(refused.value).startswith(f"driver {value} cannot be imported: {text}")


def test_an_entry_that_is_no_driver_is_said() -> None:
    with pytest.raises(PluginError) as refused:
        collected([entry("acquisition.drivers.modbus_tcp:TAG_OCTETS")])
    assert str(refused.value) == "driver acquisition.drivers.modbus_tcp:TAG_OCTETS is a int, expected a DriverSpec"


def test_an_unknown_protocol_is_an_error_that_says_what_there_is() -> None:
    known = ", ".join(sorted(by_protocol()))
    with pytest.raises(PluginError, match=rf"^no driver for protocol `nonsense`, there are {re.escape(known)}$"):
        driver_of("nonsense")
    with pytest.raises(PluginError, match="`nonsense`"):
        parse(['{"line": "l", "protocol": "nonsense", "settings": {}}'])
    with pytest.raises(PluginError, match="`nonsense`"):
        loop_factory(WorkerPlan("w", (LinePlan("l", "nonsense", {}, ()),)))


@pytest.mark.usefixtures("installed")
def test_a_site_on_such_a_line_is_compiled_with_its_limits_and_its_misfits(tmp_path: Path) -> None:
    found = compile_folder(write_site(tmp_path, MAP, SITE))
    assert render(found.diagnostics.found) == ""
    (line,) = found.workers[0].lines
    assert (line.protocol, line.settings) == ("line-registers", {"host": "127.0.0.1", "port": 7001})
    blocks = [one for one in line.devices[0].blocks if isinstance(one, RegisterBlock)]
    assert [(one.address, one.count) for one in blocks] == [(40, 2), (90, 2)]  # 52 at once: over its 32
    worse = SITE.replace("level: {read: input 40 float32, unit: A}", "level: {read: input 40 string:2}")
    texts = [one.message for one in compile_folder(write_site(tmp_path, MAP, worse)).diagnostics.errors]
    assert "`well.level`: a string, which such a device has none of" in texts


@pytest.mark.usefixtures("installed")
def test_a_bit_of_a_register_is_written_by_modbus_only(tmp_path: Path) -> None:
    bit = SITE + "      valve: {write: holding 4 bit:3}\n"
    texts = [one.message for one in compile_folder(write_site(tmp_path, MAP, bit)).diagnostics.errors]
    assert texts == [
        "`well.valve` writes a bit of a register, but line `far` is line-registers, which writes whole registers"
    ]
    whole = bit.replace("holding 4 bit:3", "holding 4 uint16")
    assert compile_folder(write_site(tmp_path, MAP, whole)).diagnostics.errors == []


def test_without_its_driver_the_site_is_refused_and_its_plan_is_too(tmp_path: Path) -> None:
    write_site(tmp_path, MAP, SITE)
    (error,) = compile_folder(tmp_path).diagnostics.errors
    assert (error.code, error.message) == ("unknown-protocol", "no driver for protocol `line-registers`")
    with_it = compile_site(tmp_path, protocols() | {"line-registers": driver_of("tcp-ascii").protocol})
    worker = WorkerPlan("tcp", (LinePlan("far", "line-registers", {"host": "127.0.0.1", "port": 7001}, ()),))
    assert with_it.plan is None  # its points are registers
    write_site(tmp_path, "points: {}\n", SITE.partition("devices:")[0] + "devices: {}\n")
    compiled = compile_site(tmp_path, protocols() | {"line-registers": driver_of("tcp-ascii").protocol})
    assert compiled.plan is not None
    file = tmp_path / "left.plan"
    plans.save(sealed(msgspec.structs.replace(compiled.plan, workers=(worker,))), file)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = command(empty, "acquisition", "--plan", str(file), "--worker", "tcp", "--run-dir", str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot run tcp: no driver for protocol `line-registers`, there are adam-ascii" in done.stderr
    done = command(
        empty, "acquisition.simulate", "--plan", str(file), "--out", str(tmp_path / "o"), "--run-dir", str(tmp_path)
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot simulate: no driver for protocol `line-registers`" in done.stderr


def test_a_command_knows_the_driver_of_an_installed_package(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    site = write_site(tmp_path, MAP, SITE)
    done = command(installed_in(packages), "mms_gateway", "plan", str(site))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("line far (line-registers): ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            "line_registers:NOTHING",
            "driver line_registers:NOTHING of line-registers-driver 1.0 cannot be imported: AttributeError: "
            "module 'line_registers' has no attribute 'NOTHING'",
        ),
        (
            "acquisition.drivers.modbus_udp:DRIVER",
            "acquisition.drivers.modbus_udp and driver acquisition.drivers.modbus_udp:DRIVER of line-registers-driver 1.0 "
            "both claim `modbus-udp`",
        ),
    ],
    ids=["broken", "twice"],
)
def test_drivers_that_cannot_be_used_are_one_line_and_exit_code_2(value: str, text: str, tmp_path: Path) -> None:
    done = command(installed_in(tmp_path, value), "mms_gateway", "check", str(ROOT / "hw_configs" / "first"))
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"mms-gateway: {text}\n")
