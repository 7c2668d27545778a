"""A line's frames as a file: it goes on when the port is opened again, and is closed with the port."""

import json
from pathlib import Path

import pytest

from acquisition.transport.capture import SETTING, CapturePort, captured
from acquisition.transport.errors import NoConnectionError
from mapping.plan import LinePlan
from tests.support import steady_loop
from tests.support.wire import Unit, Wire

ASK = bytes.fromhex("01040000000271cb")


def line_to(file: Path) -> LinePlan:
    return LinePlan("bench", "modbus-rtu", {"port": "/dev/x", SETTING: str(file)}, ())


def test_a_port_that_is_opened_again_goes_on_in_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "frames.jsonl"

    async def play() -> None:
        port = captured(Wire({1: Unit()}), line_to(file))
        for _ in range(2):
            await port.open()
            await port.write(ASK)
            await port.close()
            await port.close()

    steady_loop.run(play())
    head, *frames = (json.loads(line) for line in file.read_text(encoding="ascii").splitlines())
    assert head == {"line": "bench", "protocol": "modbus-rtu", "settings": {"port": "/dev/x"}}
    assert [one["out"] for one in frames] == [ASK.hex(), ASK.hex()]
    assert frames[0]["at"] <= frames[1]["at"]


def test_a_new_port_begins_the_file_anew(tmp_path: Path) -> None:
    file = tmp_path / "frames.jsonl"
    file.write_text("old\n")

    async def play() -> None:
        port = captured(Wire({1: Unit()}), line_to(file))
        await port.open()
        await port.close()

    steady_loop.run(play())
    assert [json.loads(line)["line"] for line in file.read_text().splitlines()] == ["bench"]


def test_a_file_that_cannot_be_written_is_a_link_error(tmp_path: Path) -> None:
    file = tmp_path / "none" / "frames.jsonl"

    async def play() -> None:
        port = CapturePort(Wire({1: Unit()}), line_to(file))
        with pytest.raises(NoConnectionError, match=r"frames\.jsonl: no such file or directory$"):
            await port.open()

    steady_loop.run(play())
