"""A discarded letter is kept and marked; one that nobody looks at does not stay hidden."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.dead_letters.stage import (
    ANN,
    NONCE,
    all_of,
    ask,
    good,
    letters,
    poisoned,
    reconciler,
    resent,
    states,
    strange,
)
from tests.domain.examples import NOON
from tests.reconcile.stage import FixedClock, Topic
from tests.storage.database import execute, rows, value
from worker.broker.topics import INBOUND
from worker.domain.clock import to_datetime
from worker.domain.dead_letters import DAY, LeakLimits
from worker.domain.operators import Actor, RefusedError, Role
from worker.operations.dead_letters import service
from worker.operations.dead_letters import watch as watch_module
from worker.operations.dead_letters.watch import MAX_LABELS, MAX_LEAK_ALERTS, DeadLetterWatch
from worker.storage.dead_letter_replays import Report, Selection

LIMITS = LeakLimits(old_after=DAY, days=3, window_days=7)


@pytest.fixture
async def set_aside(engine: AsyncEngine) -> AsyncEngine:
    """Two causes, of two letters and one, that came at NOON."""
    await reconciler(engine).handle(all_of(Topic(), [*poisoned(good(1), good(2)), strange(1)]))
    await execute(engine, "UPDATE dead_letters SET created_at = :at", at=to_datetime(NOON))
    return engine


def watch(engine: AsyncEngine, at: int, **limits: Any) -> DeadLetterWatch:
    return DeadLetterWatch(engine, FixedClock(at), LeakLimits(**limits) if limits else LIMITS)


async def open_alerts(engine: AsyncEngine) -> list[str]:
    found = await rows(engine, "SELECT kind FROM alerts WHERE resolved_at IS NULL ORDER BY id")
    return [row["kind"] for row in found]


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_a_discarded_letter_is_kept_with_who_said_so_and_why(set_aside: AsyncEngine) -> None:
    wanted = Selection(reason_contains="envelope")
    assert await service.preview(set_aside, wanted, (), replay=False) == Report(2)
    assert await states(set_aside) == ["open"] * 3
    why = "a test of the supplier's"
    assert await service.discard(set_aside, ANN, wanted, reason=why) == Report(2)
    assert await service.discard(set_aside, ANN, wanted, reason=why) == Report(0, {"discarded": 2})
    discarded, _, other = await letters(set_aside)
    assert (discarded["state"], discarded["settled_by"], discarded["settled_reason"]) == (
        "discarded", "ann", "a test of the supplier's",
    )  # fmt: skip
    assert discarded["value"] == b"{"
    assert other["state"] == "open"
    assert await rows(set_aside, "SELECT actor, action, details->'taken' AS n FROM audit_log ORDER BY id") == [
        {"actor": "ann", "action": "dead_letters.discard", "n": 2},
        {"actor": "ann", "action": "dead_letters.discard", "n": 0},
    ]


async def test_what_is_being_replayed_is_not_discarded_and_what_is_discarded_not_replayed(
    set_aside: AsyncEngine,
) -> None:
    wanted = Selection(reason_contains="envelope")
    await ask(set_aside, reason_contains="envelope")
    assert await service.discard(set_aside, ANN, wanted, reason="why") == Report(0, {"being_replayed": 2})
    await service.discard(set_aside, ANN, Selection(reason_contains="not understood"), reason="why")
    assert await service.preview(set_aside, Selection(topic=INBOUND[0]), INBOUND, replay=True) == Report(
        0, {"being_replayed": 2, "discarded": 1}
    )


@pytest.mark.parametrize(
    ("selection", "reason", "words"),
    [
        (Selection(), "why", "say which letters"),
        (Selection(fingerprint="f"), "", "say in a few words why"),
        (Selection(fingerprint="f"), " \n", "say in a few words why"),
        (Selection(fingerprint="f"), "x" * 501, "longer than 500 characters"),
        (Selection(letters=tuple(range(1_001))), "why", "at most 1000 letters"),
    ],
)
async def test_a_request_without_letters_or_reason_is_refused(
    engine: AsyncEngine, selection: Selection, reason: str, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        await service.discard(engine, ANN, selection, reason=reason)
    with pytest.raises(RefusedError, match=words):
        await service.replay(engine, ANN, selection, reason=reason, nonce=NONCE, topics=INBOUND)
    assert await value(engine, "SELECT count(*) FROM audit_log") == 0


@pytest.mark.parametrize("nonce", ["", "short", "with space in it", "x" * 101, "new\nlines-in-it", "naïve-nonce"])
async def test_a_nonce_that_is_none_is_refused(engine: AsyncEngine, nonce: str) -> None:
    with pytest.raises(RefusedError, match="nonce"):
        await ask(engine, nonce, fingerprint="f")


@pytest.mark.parametrize("words", ["%", "_", "'; DROP TABLE dead_letters; --", "\\", '"'])
async def test_words_of_a_filter_mean_themselves(set_aside: AsyncEngine, words: str) -> None:
    assert await service.preview(set_aside, Selection(reason_contains=words), INBOUND, replay=True) == Report(0)
    assert len(await letters(set_aside)) == 3


async def test_a_letter_that_nobody_looks_at_becomes_one_alert_of_its_cause_with_content(
    set_aside: AsyncEngine,
) -> None:
    await execute(set_aside, "UPDATE alerts SET resolved_at = now()")  # somebody clicked them away
    assert await watch(set_aside, NOON + DAY).look_once() == 0
    assert await open_alerts(set_aside) == []
    for later in (DAY + 1, 2 * DAY, 9 * DAY):
        assert await watch(set_aside, NOON + later).look_once() == 2
    found = await rows(set_aside, "SELECT severity, details->>'reason' AS reason FROM alerts WHERE resolved_at IS NULL")
    assert sorted(row["reason"] for row in found) == ["envelope", "not understood: unknown messageType"]
    assert {row["severity"] for row in found} == {"critical"}
    assert await value(set_aside, "SELECT count(*) FROM alert_notices WHERE action = 'opened'") == 4


async def test_letters_on_several_days_are_a_trickle_though_each_was_discarded(engine: AsyncEngine) -> None:
    topic = Topic()
    for day in range(4):
        await reconciler(engine).handle(all_of(topic, poisoned(good(day))))
        at = to_datetime(NOON + day * DAY)
        await execute(engine, "UPDATE dead_letters SET created_at = :at WHERE state = 'open'", at=at)
        await service.discard(engine, ANN, Selection(reason_contains="envelope"), reason="again")
        leaking = await watch(engine, NOON + day * DAY).look_once()
        assert leaking == (1 if day >= 2 else 0)
    assert await open_alerts(engine) == ["dead_letters_leak"]
    assert await watch(engine, NOON + 30 * DAY).look_once() == 0
    assert await open_alerts(engine) == []


async def test_alerts_end_when_the_last_letter_of_their_cause_is_settled(set_aside: AsyncEngine) -> None:
    late = watch(set_aside, NOON + 2 * DAY)
    await late.look_once()
    assert await open_alerts(set_aside) == ["dead_letters", "dead_letters", "dead_letters_leak", "dead_letters_leak"]
    first = (await letters(set_aside))[0]["id"]
    await service.discard(set_aside, ANN, Selection(letters=(first,)), reason="why")
    await late.look_once()
    assert len(await open_alerts(set_aside)) == 4, "one of its two letters still waits"
    await service.discard(set_aside, ANN, Selection(topic=INBOUND[0]), reason="why")
    await late.look_once()
    assert await open_alerts(set_aside) == []
    assert await value(set_aside, "SELECT count(*) FROM alert_notices WHERE action = 'resolved'") == 4


async def test_a_letter_on_its_way_still_counts_as_waiting(set_aside: AsyncEngine) -> None:
    await ask(set_aside, topic=INBOUND[0])
    await resent(set_aside, Topic("lost"))
    await watch(set_aside, NOON + 2 * DAY).look_once()
    assert (await open_alerts(set_aside)).count("dead_letters_leak") == 2


async def test_how_many_wait_and_for_how_long_is_measured(set_aside: AsyncEngine) -> None:
    (fingerprint,) = {letter["fingerprint"] for letter in await letters(set_aside) if letter["reason"] == "envelope"}
    await watch(set_aside, NOON + DAY).look_once()
    assert gauge("ordersync_dead_letters_open", fingerprint=fingerprint) == 2
    assert gauge("ordersync_dead_letter_groups") == 2
    assert gauge("ordersync_dead_letter_oldest_seconds") == DAY / 1000
    await service.discard(set_aside, ANN, Selection(topic=INBOUND[0]), reason="why")
    await watch(set_aside, NOON + DAY).look_once()
    assert gauge("ordersync_dead_letters_open", fingerprint=fingerprint) is None
    assert (gauge("ordersync_dead_letter_groups"), gauge("ordersync_dead_letter_oldest_seconds")) == (0, 0)


MANY_CAUSES = """
    INSERT INTO dead_letters (fingerprint, reason, detail, topic, "partition", "offset", headers, value, created_at)
    SELECT 'f' || n, 'r', '', 't', 0, n, '{}', '', :at FROM generate_series(1, :n) AS n
"""


async def test_of_very_many_causes_the_largest_are_watched(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await execute(engine, MANY_CAUSES, n=MAX_LEAK_ALERTS + 20, at=to_datetime(NOON))
    assert await watch(engine, NOON + 2 * DAY).look_once() == MAX_LEAK_ALERTS
    assert len(await open_alerts(engine)) == MAX_LEAK_ALERTS
    monkeypatch.setattr(watch_module, "MAX_GROUPS", 7)
    assert await watch(engine, NOON + 2 * DAY).look_once() == 7


async def test_many_causes_do_not_become_many_labels(engine: AsyncEngine) -> None:
    await execute(engine, MANY_CAUSES, n=MAX_LABELS + 30, at=to_datetime(NOON))
    await watch(engine, NOON).look_once()
    assert gauge("ordersync_dead_letters_open", fingerprint="other") == 30
    (metric,) = [one for one in REGISTRY.collect() if one.name == "ordersync_dead_letters_open"]
    assert len(metric.samples) == MAX_LABELS + 1


@pytest.mark.parametrize("role", [Role.VIEWER, Role.APPROVER])
async def test_who_is_no_operator_changes_nothing(set_aside: AsyncEngine, role: Role) -> None:
    bob, wanted = Actor("bob", frozenset({role})), Selection(topic=INBOUND[0])
    with pytest.raises(RefusedError, match="bob may not discard"):
        await service.discard(set_aside, bob, wanted, reason="why")
    with pytest.raises(RefusedError, match="bob may not replay"):
        await service.replay(set_aside, bob, wanted, reason="why", nonce=NONCE, topics=INBOUND)
    assert await states(set_aside) == ["open"] * 3
    assert await value(set_aside, "SELECT count(*) FROM audit_log") == 0
