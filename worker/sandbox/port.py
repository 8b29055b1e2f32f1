"""An ASGI application on a port, inside somebody else's process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

BACKLOG = 256
DRAIN_S = 1
"""How long running answers may take at the end."""


class _Server(uvicorn.Server):
    """Leaves the signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class Port:
    """Serves one application; port 0 takes a free one."""

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> None:
        self.url = ""
        self._address = (host, port)
        self._server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )

    async def open(self) -> asyncio.Task[None]:
        """Listen; the task ends when the server does.

        Raises:
            OSError: the port is taken.
        """
        listener = _listen(*self._address)
        host, port = listener.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        serving = asyncio.create_task(self._server.serve([listener]), name="sandbox-http")
        await self._server.listening.wait()
        return serving

    def close(self) -> None:
        """Let the server end."""
        self._server.should_exit = True

    def hang_up(self, client: tuple[str, int]) -> None:
        """Cut the connection of one client without a byte."""
        for connection in list(self._server.server_state.connections):
            if isinstance(connection, HttpToolsProtocol) and connection.client == client:
                connection.transport.abort()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
