"""Waiting with a limit: `asyncio.wait_for` of Python 3.11 may forget that its task was cancelled (D118)."""

from pathlib import Path

ROOT = Path(__file__).parents[3]
ROOMS = ("acquisition", "bus", "mapping", "mms_gateway", "mms_server")


def test_no_room_waits_with_wait_for() -> None:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert len(sources) > 300
    assert [str(path) for path in sources if "wait_for(" in path.read_text(encoding="utf-8")] == []
