"""Probes answer everybody and say which loop it is; metrics are for those who may read."""

from tests.operations.api_stage import NOWHERE, served
from worker.operations.health import Health
from worker.storage.engine import create_engine
from worker.storage.read_store import answers


class Watch:
    """A clock that stands until it is moved."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_stalled_loop_turns_livez_to_503_and_is_named() -> None:
    watch = Watch()
    health = Health(watch)
    health.loop("reconcile", stalled_after_s=60)
    async with served(NOWHERE, health=health) as client:
        assert (await client.get("/livez")).status_code == 200
        watch.seconds = 61.5
        answer = await client.get("/livez")
    assert answer.status_code == 503
    assert answer.json() == {
        "live": False,
        "reasons": ["the loop reconcile has made no progress for 62 s (limit 60 s)"],
        "loops": {"reconcile": {"state": "stalled", "age_s": 61.5, "stalled_after_s": 60, "reason": None}},
    }


async def test_readyz_follows_the_life_of_the_process() -> None:
    health = Health(Watch())
    async with served(NOWHERE, health=health) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["starting"])
        health.startup_finished()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
        health.begin_shutdown()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["shutting down"])


async def test_without_its_database_a_process_is_not_ready_and_does_not_say_where_that_is() -> None:
    engine = create_engine(NOWHERE, application="api")
    health = Health(Watch())
    health.check("database", lambda: answers(engine))
    health.startup_finished()
    async with served(NOWHERE, health=health) as client:
        answer = await client.get("/readyz")
    await engine.dispose()
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": False}
    assert "127.0.0.1" not in answer.text


async def test_a_database_that_answers_makes_ready(database: str) -> None:
    engine = create_engine(database, application="api")
    assert await answers(engine)
    await engine.dispose()


async def test_probes_are_open_to_all_and_metrics_are_not() -> None:
    async with served(NOWHERE, token="right", peer="203.0.113.9") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz", headers={"x-forwarded-for": "1.2.3.4"})).status_code == 503
        assert (await client.get("/metrics")).status_code == 401
        answer = await client.get("/metrics", headers={"authorization": "Bearer right"})
    assert answer.headers["content-type"].startswith("text/plain")
    assert "ordersync_loop_last_progress_timestamp_seconds" in answer.text
