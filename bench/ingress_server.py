"""The server of the ingress benchmark, as a process: the real callback endpoint, and an empty one beside it."""

from __future__ import annotations

import asyncio
import sys
import time

import uvloop

from worker.broker.durable import DurablePublisher
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames
from worker.domain.clock import SystemClock
from worker.http_server import HttpServer, Receive, Scope, Send, front
from worker.intake.callbacks import CallbackApp, Limits
from worker.intake.doors import Door, DoorKind
from worker.intake.spool import PostgresSpool
from worker.storage.engine import create_engine
from worker.supervision import settle_memory

TOKEN = "bench-token-0123456789"  # noqa: S105 - opens nothing


async def empty(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer 200: what any endpoint on this server costs."""
    assert scope["type"] == "http"
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def serve(bootstrap_servers: str, dsn: str) -> None:
    """Serve until standard input ends."""
    kafka = KafkaLink(bootstrap_servers, TopicNames())
    kafka.start()
    await kafka.wait_connected()
    settle_memory()
    engine = create_engine(dsn, application="bench")
    publisher = DurablePublisher(
        kafka, PostgresSpool(engine), kafka_timeout_s=0.35, spool_timeout_s=0.2, now=time.monotonic
    )
    door = Door("bench", DoorKind.TOKEN, token=TOKEN)
    callbacks = CallbackApp({"bench": door}, publisher, SystemClock(), Limits(262_144, 0.3), monotonic=time.monotonic)
    server = HttpServer(front(callbacks, empty), "127.0.0.1", 0, max_concurrency=2_000, shutdown_timeout_s=5)
    await server.start()
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()
    await kafka.stop()
    await engine.dispose()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2]))
