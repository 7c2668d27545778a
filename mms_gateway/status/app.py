"""Web application of the status page: /, /api/status, /api/events (server-sent), /metrics, /healthz."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from mms_gateway.status.board import Board
from mms_gateway.status.metrics import BoardCollector

WATCHERS_LIMIT: Final = 32
PERIOD_S: Final = 1.0


def application(board: Board, monotonic: Callable[[], float], stop_requested: asyncio.Event) -> Starlette:
    """The web application of one board; `stop_requested` ends the streams."""
    registry = CollectorRegistry()
    registry.register(BoardCollector(board, monotonic))
    page = (files("mms_gateway.status") / "page.html").read_text(encoding="utf-8")
    watchers = 0

    async def index(_request: Request) -> Response:
        return HTMLResponse(page)

    async def status(_request: Request) -> Response:
        return JSONResponse(board.shown(monotonic()))

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def health(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def events(_request: Request) -> Response:
        if watchers >= WATCHERS_LIMIT:
            return PlainTextResponse(f"{WATCHERS_LIMIT} pages are open already\n", status_code=503)
        return StreamingResponse(_stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def _stream() -> AsyncIterator[str]:
        """The whole board each second: a slow reader holds one of them at most, and never a queue."""
        nonlocal watchers
        watchers += 1
        try:
            while not stop_requested.is_set():
                yield f"data: {json.dumps(board.shown(monotonic()))}\n\n"
                try:
                    async with asyncio.timeout(PERIOD_S):
                        await stop_requested.wait()
                except TimeoutError:
                    continue
        finally:
            watchers -= 1

    return Starlette(
        routes=[
            Route("/", index),
            Route("/api/status", status),
            Route("/api/events", events),
            Route("/metrics", metrics),
            Route("/healthz", health),
        ]
    )
