"""One port for everything: callbacks go straight to their ASGI function, the rest to the API."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping
from typing import Any

import uvicorn

Scope = MutableMapping[str, Any]
Receive = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CALLBACKS_PREFIX = "/callbacks/"
BACKLOG = 2_048
_NO_SUCH_ADDRESS_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def front(callbacks: AsgiApp | None, rest: AsgiApp) -> AsgiApp:
    """Return the ASGI application that parts callbacks from everything else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if callbacks is not None and scope["type"] == "http" and scope["path"].startswith(CALLBACKS_PREFIX):
            await callbacks(scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one owner for signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """A uvicorn server as a task of this loop."""

    def __init__(self, app: AsgiApp, host: str, port: int, *, max_concurrency: int, shutdown_timeout_s: float) -> None:
        self._address = (host, port)
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                limit_concurrency=max_concurrency,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=int(shutdown_timeout_s),
                ws="none",
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once the port is bound. Raises OSError if it cannot be."""
        listeners = _listen(*self._address)  # uvicorn would end the process if it could not
        self._task = asyncio.create_task(self._server.serve(listeners), name="http")
        while not self._server.started:
            if self._task.done():
                raise OSError("the HTTP port could not be bound")
            await asyncio.sleep(0.01)

    @property
    def port(self) -> int:
        """Return the port that is really bound (useful with port 0)."""
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Accept nothing more, finish what is under way."""
        self._server.should_exit = True
        if self._task is not None:
            await asyncio.wait([self._task])


def _listen(host: str, port: int) -> list[socket.socket]:
    """Return a listening socket per address of `host` (localhost has two). Raises OSError that names the address."""
    listeners: list[socket.socket] = []
    try:
        for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                listeners.append(socket.create_server(address[:2], family=family, backlog=BACKLOG))
            except OSError as error:
                if error.errno not in _NO_SUCH_ADDRESS_HERE:
                    raise
        if not listeners:
            raise OSError("no such address on this machine")  # noqa: TRY301 - one way out
    except OSError as error:
        for listener in listeners:
            listener.close()
        raise OSError(f"cannot listen on {host} port {port}: {error.strerror or error}") from error
    return listeners
