"""The load balancer of the rig: who gets a callback, what the log keeps, what a silent worker costs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2 as httpx

from proof.rig import front_door
from proof.rig.configuration import worker_environment
from proof.rig.front_door import FrontDoor
from proof.rig.worker_process import WorkerProcess
from tests.waiting import until
from worker.embedded.ports import free_port
from worker.http_server import HttpServer, Receive, Scope, Send


class Listening:
    """What stands in a worker's place: answers with a status, or not at all."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.silent = False
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"] == "/callbacks/main/token"
        self.bodies.append((await receive()).get("body", b""))
        if self.silent:
            await asyncio.Event().wait()
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})


def worker(number: int, directory: Path) -> WorkerProcess:
    environment = worker_environment(directory / "none", dsn="", kafka="", port=free_port(), name=f"worker-{number}")
    return WorkerProcess(number, directory, environment, None)


@asynccontextmanager
async def door(directory: Path, *workers: Listening | None) -> AsyncIterator[tuple[FrontDoor, httpx.AsyncClient]]:
    """A front door before workers, of which None does not listen."""
    async with AsyncExitStack() as stack:
        processes = [worker(number, directory) for number in range(1, len(workers) + 1)]
        for process, app in zip(processes, workers, strict=True):
            if app is not None:
                server = HttpServer(app, "127.0.0.1", process.port, max_concurrency=10, shutdown_timeout_s=1)
                await server.start()
                stack.push_async_callback(server.stop)
        opened = await stack.enter_async_context(FrontDoor(processes, directory / "callbacks.jsonl"))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=opened.url, trust_env=False, timeout=5))
        yield opened, client


async def test_callbacks_go_round_and_the_log_has_what_was_accepted(tmp_path: Path) -> None:
    one, two, three = Listening(200), Listening(503), Listening(200)
    async with door(tmp_path, one, two, three) as (opened, client):
        answers = [(await client.post("/callbacks/main/token", content=f"{n}".encode())).status_code for n in range(6)]
        assert sorted(answers) == [200, 200, 200, 200, 503, 503]
        assert [len(app.bodies) for app in (one, two, three)] == [2, 2, 2]
        accepted = opened.accepted()
        assert {line.body for line in accepted} == {body.decode() for body in one.bodies + three.bodies}
        assert {line.worker for line in accepted} == {1, 3}
        assert opened.answers == {200: 4, 503: 2}


async def test_who_does_not_listen_is_passed_over(tmp_path: Path) -> None:
    alive = Listening(200)
    async with door(tmp_path, None, alive, None) as (_, client):
        for _ in range(3):
            assert (await client.post("/callbacks/main/token", content=b"1")).status_code == 200
    async with door(tmp_path, None, None) as (opened, client):
        assert (await client.post("/callbacks/main/token", content=b"1")).status_code == 502
        assert opened.answers == {502: 1}


async def test_a_silent_worker_costs_one_callback_and_then_comes_last(tmp_path: Path) -> None:
    alive, silent = Listening(200), Listening(200)
    silent.silent = True
    async with door(tmp_path, alive, silent) as (opened, client):
        answers = [(await client.post("/callbacks/main/token", content=b"1")).status_code for _ in range(5)]
    assert sorted(answers) == [200, 200, 200, 200, 504]
    assert len(opened.accepted()) == 4


async def test_what_a_worker_accepts_after_the_sender_hung_up_is_in_the_log(tmp_path: Path) -> None:
    release = asyncio.Event()

    class Slow(Listening):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            self.bodies.append(b"")
            await release.wait()
            await super().__call__(scope, receive, send)

    slow = Slow(200)
    async with door(tmp_path, slow) as (opened, client):
        sending = asyncio.create_task(client.post("/callbacks/main/token", content=b"late"))
        await until(lambda: slow.bodies)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        release.set()
        await until(lambda: [line.body for line in opened.accepted()] == ["late"])
    assert front_door.ANSWERS_WITHIN_S > 1, "longer than the sender waits"
