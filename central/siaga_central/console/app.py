"""The operators' console: one web application over the store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siaga_central.console import page
from siaga_central.console.access import NotLoggedIn
from siaga_central.console.context import Console, ConsoleSettings
from siaga_central.console.pages import (
    callbacks,
    cameras,
    devices,
    entry,
    footage,
    holds,
    incident,
    lanes,
    roster,
    session,
)
from siaga_central.console.stream import Stream
from siaga_central.domain.hold import IllegalHold
from siaga_central.domain.incident import IllegalMove
from siaga_central.store.writer import Store
from siaga_core.errors import SiagaError
from siaga_core.service.clock import Clock

_STATIC = Path(__file__).parent / "static"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def create_app(store: Store, settings: ConsoleSettings, clock: Clock) -> FastAPI:
    """The console as an ASGI application; its live stream runs while the application does."""
    console = Console(store, settings, clock)
    stream = Stream(console)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        stream.start()
        try:
            yield
        finally:
            stream.stop()

    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.console, app.state.stream = console, stream
    app.state.watched = set()  # (session, clip): ranges after the first belong to a look already on record
    for part in (session, lanes, incident, footage, holds, cameras, callbacks, devices, roster, entry):
        app.include_router(part.router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    app.add_middleware(Headers)
    app.add_exception_handler(NotLoggedIn, page.not_logged_in)  # type: ignore[arg-type]
    for error in (HTTPException, RequestValidationError, SiagaError, IllegalMove, IllegalHold):
        app.add_exception_handler(error, _say)
    return app


class Headers:
    """Adds the headers that bind browsers to every answer; pure ASGI, so that streams stay streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


async def _say(request: Request, error: Exception) -> Response:
    status, message = 409, str(error)
    if isinstance(error, HTTPException):
        status, message = error.status_code, str(error.detail)
    elif isinstance(error, RequestValidationError):
        fields = ", ".join(str(entry["loc"][-1]) for entry in error.errors())
        status, message = 422, f"missing or wrong: {fields}"
    return await run_in_threadpool(page.trouble, request.app.state.console, request, status, message)
