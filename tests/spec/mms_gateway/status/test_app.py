"""The status page's streams of events: so many at a time, and a place is free again when one ends."""

import asyncio
from typing import Any

from mapping.plan import Plan
from mms_gateway.status.app import WATCHERS_LIMIT, application
from mms_gateway.status.board import Board

SCOPE = {
    "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "path": "/api/events",
    "raw_path": b"/api/events", "query_string": b"", "headers": [], "root_path": "", "scheme": "http",
}  # fmt: skip


BOARD = Board(Plan("bench", "/site.yaml", (), (), revision="r"))


class Watcher:
    """A page that watches until it is closed; `status` is what it was answered."""

    def __init__(self, app: Any) -> None:
        self.status = 0
        self._began, self._closed = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(app(dict(SCOPE), self._receive, self._send))

    async def _receive(self) -> dict[str, str]:
        await self._closed.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.status = message.get("status", self.status)
        if message["type"] == "http.response.body":
            self._began.set()

    async def begun(self) -> int:
        await self._began.wait()
        return self.status

    async def close(self) -> None:
        self._closed.set()
        await asyncio.wait((self._task,))


def test_so_many_pages_watch_at_a_time_and_one_that_is_closed_makes_room() -> None:
    async def scenario() -> None:
        told = asyncio.Event()
        app = application(BOARD, lambda: 0.0, told)
        watchers = [Watcher(app)]
        for _ in range(WATCHERS_LIMIT - 1):
            assert await watchers[-1].begun() == 200
            watchers.append(Watcher(app))
        assert await watchers[-1].begun() == 200
        for closed in watchers[:2]:
            for _ in range(2):
                assert await Watcher(app).begun() == 503
            await closed.close()
            watchers.append(Watcher(app))
            assert await watchers[-1].begun() == 200
        told.set()
        for one in watchers:
            await one.close()

    asyncio.run(scenario())
