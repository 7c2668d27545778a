"""Diff of two plans: the changes that make an OS process start anew, take the plan as it runs, or do nothing."""

from pathlib import Path

import pytest

from mapping.plan import Plan
from mms_gateway.runtime.plan_diff import Changes, between, described
from tests.support.sites import SCL, SITE, compile_folder, write_site

MAP = """\
points:
  LD0/GGIO1.AnIn3: io1.temperature
unmapped: [LD0/GGIO1, LD0/XCBR1, LD0/MMTR1]
"""
OTHER = '  OTHER: {scl: other.icd, map: other.yaml, listen: "127.0.0.1:0"}\n'
SECOND = SITE.replace("lines:\n", f"{OTHER}lines:\n").replace(
    "devices:\n",
    "devices:\n  hall:\n    line: scale-1\n    points: {weight: {request: W, reply: '(?P<kg>.*)', value: kg}}\n",
)


def plan_of(folder: Path, map_text: str = MAP, site_text: str = SECOND, scl: str | None = None) -> Plan:
    """Two IEDs on two workers, `tcp` and `scale-1`; only what feeds IO, the site and IO's SCL file vary."""
    write_site(folder, map_text, site_text)
    (folder / "other.yaml").write_text(MAP, encoding="utf-8")
    text = SCL.read_text(encoding="utf-8")
    (folder / "other.icd").write_text(text.replace('IED name="IO"', 'IED name="OTHER"'), encoding="utf-8")
    if scl is not None:
        (folder / "io.icd").write_text(scl, encoding="utf-8")
    compiled = compile_folder(folder)
    assert compiled.plan is not None, [one.headline() for one in compiled.diagnostics]
    return compiled.plan


def said(changes: Changes) -> dict[str, set[str]]:
    """The fates that are some process's."""
    return {fate: set(names) for fate, names in zip(Changes._fields, changes, strict=True) if names}


ALL = {"worker.tcp", "worker.scale-1", "mms.IO", "mms.OTHER", "status"}
MORE_DEVICES = SECOND + "  io2: {line: lan, unit: 3, points: {level: {read: holding 0 int16}}}\n"
MORE_LINES = MORE_DEVICES.replace("line: lan, unit: 3", "line: hall, unit: 3").replace(
    "devices:\n", "  hall: {protocol: modbus-tcp, host: 127.0.0.1, port: 1503, worker: hall}\ndevices:\n", 1
)


@pytest.mark.conformance("GW-8")
@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, {"kept": ALL}),
        (
            {"map_text": MAP.replace("io1.temperature", "{from: io1.temperature, scale: 2}")},
            {"kept": {"worker.tcp", "worker.scale-1", "mms.OTHER"}, "reloaded": {"mms.IO"}, "restarted": {"status"}},
        ),
        (
            {"scl": SCL.read_text(encoding="utf-8") + "<!-- -->"},
            {"kept": {"worker.tcp", "worker.scale-1", "mms.OTHER"}, "restarted": {"mms.IO", "status"}},
        ),
        (
            {"site_text": SECOND.replace("map: map.yaml,", "map: map.yaml, max_clients: 3,")},
            {"kept": {"worker.tcp", "worker.scale-1", "mms.OTHER"}, "restarted": {"mms.IO", "status"}},
        ),
        (
            {"site_text": MORE_DEVICES},
            {
                "kept": {"worker.scale-1"},
                "reloaded": {"mms.IO", "mms.OTHER"},
                "restarted": {"worker.tcp", "status"},
            },
        ),
        (
            {"site_text": MORE_LINES},
            {
                "kept": {"worker.tcp", "worker.scale-1"},
                "reloaded": {"mms.IO", "mms.OTHER"},
                "restarted": {"status"},
                "started": {"worker.hall"},
            },
        ),
        (
            {"site_text": SECOND.replace(OTHER, "")},
            {"kept": {"worker.tcp", "worker.scale-1", "mms.IO"}, "ended": {"mms.OTHER"}, "restarted": {"status"}},
        ),
        (
            {"site_text": SECOND + "clock: {source: assume-synchronized, accuracy: 1ms}\n"},
            {"restarted": ALL},
        ),
    ],
)
def test_what_a_change_asks_of_each_process(
    tmp_path: Path, changed: dict[str, str], expected: dict[str, set[str]]
) -> None:
    assert said(between(plan_of(tmp_path), plan_of(tmp_path, **changed))) == expected


def test_people_are_told_of_lines_devices_workers_and_the_objects_of_each_ied(tmp_path: Path) -> None:
    rows = MAP.replace("io1.temperature", "{from: io1.temperature, scale: 2}\n  LD0/GGIO1.Ind1.stVal: io1.breaker")
    changed = MORE_LINES.replace("scale: 0.1", "scale: 0.01")
    assert described(plan_of(tmp_path), plan_of(tmp_path, rows, changed)) == [
        "line hall: added",
        "device io1: changed",
        "device io2: added",
        "IED IO: goes on, 1 object added, 1 object changed",
        "IED OTHER: goes on",
        "worker hall: started",
        "worker scale-1: kept",
        "worker tcp: restarted",
    ]
