"""The API over a real socket, and people who call it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from tests.config.people import person
from worker.domain.policy import Policy
from worker.http_server import HttpServer
from worker.operations.access import Access
from worker.operations.api import create_api
from worker.operations.health import Health
from worker.operators import Operators
from worker.storage.engine import create_engine

PEOPLE = [
    person("ann", "approver", "ann-token"),
    person("bob", "approver", "bob-token"),
    person("ole", "operator", "ole-token"),
    person("vera", "viewer", "vera-token"),
]
POLICIES = {"main": Policy(four_eyes_above=5_000), "second": Policy()}


def by(name: str) -> dict[str, str]:
    """The headers of somebody's calls."""
    return {"authorization": f"Bearer {name}-token"}


@asynccontextmanager
async def serving(dsn: str) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a server on a port of this machine."""
    engine = create_engine(dsn, application="api", pool_size=4, statement_timeout_ms=5_000, lock_timeout_ms=2_000)
    app = create_api(
        engine,
        access=Access(Operators(PEOPLE, api_token="reader-token")),
        health=Health(lambda: 0.0),
        version="1.2.3",
        policies=POLICIES,
    )
    server = HttpServer(app, "127.0.0.1", 0, max_concurrency=100, shutdown_timeout_s=2)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
            yield client
    finally:
        await server.stop()
        await engine.dispose()


def refusal(answer: httpx2.Response, status: int, code: str) -> str:
    """What a refusal says."""
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    assert body["error"]["code"] == code
    return str(body["error"]["message"])


def told(answer: httpx2.Response) -> dict[str, Any]:
    """What an answer says that is no refusal."""
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body
