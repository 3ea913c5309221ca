"""Serves the console; open live streams end before the server waits for its connections."""

import socket
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

# What is still open after the streams were told to end is cut off.
_GRACE_S = 1


class ConsoleServer(uvicorn.Server):
    """A uvicorn for one console. `run()` blocks; set `should_exit` from another thread to end it."""

    def __init__(
        self, app: FastAPI, host: str, port: int, chain: Path | None = None, key: Path | None = None
    ) -> None:
        """With `chain` and `key` it speaks HTTPS, TLS 1.2 at least."""
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=chain,
            ssl_keyfile=key,
            timeout_graceful_shutdown=_GRACE_S,
        )
        super().__init__(config)
        self._console = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the live streams, then the server."""
        await run_in_threadpool(self._console.state.stream.stop)
        await super().shutdown(sockets)
