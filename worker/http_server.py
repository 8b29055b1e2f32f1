"""One port for everything: callbacks go straight to their ASGI function, the rest to the API."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterator, MutableMapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

Scope = MutableMapping[str, Any]
Receive = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

CALLBACKS_PREFIX = "/callbacks/"
BACKLOG = 2_048
HEADERS_WITHIN_S = 10.0
"""For the first line and the headers of each request: who sends them drop by drop would hold a place for ever."""
BODY_MAX_BYTES = 262_144
BODY_WITHIN_S = 10.0
"""Of a request to anything but the callbacks, which have limits of their own."""
_NO_SUCH_ADDRESS_HERE = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def front(callbacks: AsgiApp | None, rest: AsgiApp) -> AsgiApp:
    """Return the ASGI application that parts callbacks from everything else."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if callbacks is not None and scope["type"] == "http" and scope["path"].startswith(CALLBACKS_PREFIX):
            await callbacks(scope, receive, send)
        elif scope["type"] == "http":
            await _bounded(rest, scope, receive, send)
        else:
            await rest(scope, receive, send)

    return app


async def _bounded(app: AsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body before the application does, within limits: it would keep one of any size from anybody."""
    if scope["method"] in {"GET", "HEAD"}:
        await app(scope, receive, send)
        return
    body = bytearray()
    more = True
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > BODY_MAX_BYTES:
                    await _refuse(send, 413, "too_large", f"the body is larger than {BODY_MAX_BYTES} bytes")
                    return
    except TimeoutError:
        await _refuse(send, 408, "too_slow", "the body did not arrive in time")
        return
    whole: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def receive_whole() -> MutableMapping[str, Any]:
        return whole.pop() if whole else await receive()

    await app(scope, receive_whole, send)


async def _refuse(send: Send, status: int, code: str, message: str) -> None:
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),  # what is still to come of the body is not waited for
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Protocol(HttpToolsProtocol):
    """uvicorn's, which waits for headers as long as anybody likes to send them."""

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the headers of a further request with its first byte."""
        cycle: RequestResponseCycle | None = self.cycle
        if self._late is None and cycle is not None and cycle.response_complete:
            self._expect_headers()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Stop waiting: what the body may take is the application's own limit."""
        self._stop_waiting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._stop_waiting()
        self._late = self.loop.call_later(HEADERS_WITHIN_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()


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
                http=_Protocol,
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
