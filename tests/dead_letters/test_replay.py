"""A replay goes through once, says what became of every letter, and never does nothing silently."""

import asyncio

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.dead_letters.stage import (
    NONCE,
    Fixable,
    all_of,
    ask,
    good,
    letters,
    poisoned,
    reconciler,
    resent,
    states,
    strange,
    with_ticket,
)
from tests.reconcile.stage import Topic
from tests.storage.database import execute, rows, value
from worker.broker.consumer import StopConsumingError
from worker.broker.envelope import REPLAY_HEADER, Unrecognised, fact_event, read_headers, read_ticket
from worker.broker.topics import INBOUND
from worker.domain.dead_letters import REPLAY_PATIENCE, Ticket
from worker.domain.facts import Fact
from worker.domain.operators import RefusedError
from worker.operations.dead_letters import service
from worker.storage.dead_letter_replays import Replay, Report, Selection, find_replay


async def replay_of(engine: AsyncEngine, nonce: str = NONCE) -> Replay:
    async with engine.connect() as connection:
        found = await find_replay(connection, nonce)
    assert found is not None
    return found


async def test_what_failed_in_our_own_code_is_replayed_once_it_is_mended(engine: AsyncEngine) -> None:
    policy, topic = Fixable(), Topic()
    handle = reconciler(engine, policy).handle
    await handle(topic.take(*(good(n) for n in range(5))))
    assert await states(engine) == ["open"] * 5
    policy.broken = False
    begun = await ask(engine, fingerprint=(await letters(engine))[0]["fingerprint"])
    assert (begun.report, begun.waiting, begun.is_over) == (Report(5), 5, False)
    assert await states(engine) == ["replaying"] * 5
    await handle(await resent(engine, topic))
    seen = await replay_of(engine)
    assert (seen.replayed, seen.failed_again, seen.waiting, seen.sent, seen.is_over) == (5, 0, 0, 0, True)
    assert await states(engine) == ["resolved"] * 5
    assert {letter["settled_by"] for letter in await letters(engine)} == {f"replay {begun.id}"}
    assert await value(engine, "SELECT count(*) FROM orders WHERE status = 'awaiting_payment'") == 5


async def test_a_replayed_record_is_what_it_was_so_duplicates_stay_duplicates(engine: AsyncEngine) -> None:
    """The same fact came in another way meanwhile: nothing is applied twice."""
    policy, topic = Fixable(), Topic()
    handle = reconciler(engine, policy).handle
    (original,) = topic.take(good(1))
    await handle([original])
    policy.broken = False
    await handle(topic.take(good(1)))
    before = await rows(engine, "SELECT * FROM outbox")
    await ask(engine, topic=original.topic)
    (again,) = await resent(engine, topic)
    assert (again.value, again.key, again.topic) == (original.value, original.key, original.topic)
    headers = read_headers(again.headers)
    assert read_ticket(headers) is not None
    assert {name: held for name, held in headers.items() if name != REPLAY_HEADER} == read_headers(original.headers)
    for _ in range(2):  # Kafka may deliver it twice
        await handle([again])
    assert await rows(engine, "SELECT * FROM outbox") == before
    assert await value(engine, "SELECT count(*) FROM facts") == 1
    assert await states(engine) == ["resolved"]


async def test_the_same_request_twice_replays_once(engine: AsyncEngine) -> None:
    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(good(1), good(2))))
    first = await ask(engine, reason_contains="envelope")
    again = await ask(engine, reason_contains="envelope")
    assert (first.repeated, again.repeated, again.id) == (False, True, first.id)
    assert len(await resent(engine, topic)) == 2
    assert await resent(engine, topic) == []
    assert await value(engine, "SELECT count(*) FROM audit_log") == 1
    with pytest.raises(RefusedError, match="another request"):
        await ask(engine, reason_contains="apply")


async def test_requests_at_the_same_time_take_each_letter_once(engine: AsyncEngine) -> None:
    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(*(good(n) for n in range(20)))))
    asked = [ask(engine, nonce, reason_contains="envelope") for nonce in (NONCE, NONCE, "another-nonce", NONCE)]
    found = await asyncio.gather(*asked)
    by_nonce = {replay.nonce: replay.report for replay in found}
    assert sorted(report.taken for report in by_nonce.values()) == [0, 20]
    assert sorted(report.skipped.get("being_replayed", 0) for report in by_nonce.values()) == [0, 20]
    assert len(await resent(engine, topic)) == 20


async def test_a_letter_that_fails_again_is_open_again_and_says_why(engine: AsyncEngine) -> None:
    topic = Topic()
    handle = reconciler(engine).handle
    await handle(all_of(topic, [*poisoned(good(1)), strange(1)]))
    await ask(engine, letters=tuple(letter["id"] for letter in await letters(engine)))
    await handle(await resent(engine, topic))
    seen = await replay_of(engine)
    assert (seen.replayed, seen.failed_again, seen.is_over) == (0, 2, True)
    assert seen.reasons == {"envelope": 1, "not understood: unknown messageType": 1}
    found = await letters(engine)
    assert [(letter["state"], letter["failures"], letter["offset"]) for letter in found] == [
        ("open", 1, 0),
        ("open", 1, 1),
    ]
    assert all(letter["failed_at"] is not None for letter in found)
    assert await value(engine, "SELECT max(occurrences) FROM alerts") == 2


async def test_a_letter_that_fails_for_another_reason_moves_to_that_cause(engine: AsyncEngine) -> None:
    policy, topic = Fixable(), Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(good(1))))
    await execute(engine, "UPDATE dead_letters SET value = :value", value=fact_event(good(1)).value)
    before = (await letters(engine))[0]["fingerprint"]
    await ask(engine, fingerprint=before)
    await reconciler(engine, policy).handle(await resent(engine, topic))
    (letter,) = await letters(engine)
    assert letter["fingerprint"] != before
    assert "LookupError" in letter["reason"]
    assert "Traceback" in letter["detail"]


async def test_what_was_not_understood_is_read_anew_with_the_identity_it_would_have_had(engine: AsyncEngine) -> None:
    topic = Topic()
    understood: list[Unrecognised] = []

    def reread(message: Unrecognised) -> list[Fact]:
        understood.append(message)
        return [good(1), good(2)]

    handle = reconciler(engine, reread=reread).handle
    await handle(all_of(topic, [strange(7, b'{"messageType": "NEW"}')]))
    assert understood == [], "at first it is intake that reads; only a replay is read anew"
    await ask(engine, reason_contains="messagetype")
    await handle(await resent(engine, topic))
    assert [message.body for message in understood] == [b'{"messageType": "NEW"}']
    assert await states(engine) == ["resolved"]
    found = {row["fact_id"] for row in await rows(engine, "SELECT fact_id FROM facts")}
    assert found == {good(1).derive_id(), good(2).derive_id()}


async def test_what_is_passed_over_is_counted_by_why(engine: AsyncEngine) -> None:
    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(*(good(n) for n in range(6)))))
    ids = [letter["id"] for letter in await letters(engine)]
    for letter_id, state in zip(ids, ["resolved", "discarded", "open", "open", "open", "open"], strict=True):
        await execute(engine, "UPDATE dead_letters SET state = :state WHERE id = :id", state=state, id=letter_id)
    await execute(engine, "UPDATE dead_letters SET topic = 'other.orders.status.v1' WHERE id = :id", id=ids[2])
    await ask(engine, "an-earlier-nonce", letters=(ids[3],))
    wanted = Selection(letters=(*ids, 999_999_999))
    expected = Report(
        2, {"already_replayed": 1, "discarded": 1, "foreign_topic": 1, "being_replayed": 1, "no_such_letter": 1}
    )
    assert await service.preview(engine, wanted, INBOUND, replay=True) == expected
    assert await states(engine) == ["resolved", "discarded", "open", "replaying", "open", "open"], (
        "a preview takes none"
    )
    assert (await ask(engine, letters=wanted.letters)).report == expected


async def test_a_replay_that_kafka_lost_may_be_asked_for_again(engine: AsyncEngine) -> None:
    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(good(1))))
    await ask(engine, reason_contains="envelope")
    await resent(engine, topic)
    assert (await ask(engine, "second-nonce", reason_contains="envelope")).report == Report(0, {"being_replayed": 1})
    await execute(
        engine,
        "UPDATE dead_letter_replay_items SET sent_at = sent_at - make_interval(secs => :s)",
        s=REPLAY_PATIENCE / 1000 + 1,
    )
    assert (await ask(engine, "third-nonce", reason_contains="envelope")).report == Report(1)


async def test_the_outcome_of_an_older_replay_opens_nothing_that_a_newer_one_holds(engine: AsyncEngine) -> None:
    topic = Topic()
    handle = reconciler(engine).handle
    await handle(all_of(topic, poisoned(good(1))))
    first = await ask(engine, reason_contains="envelope")
    late = await resent(engine, topic)
    await execute(engine, "UPDATE dead_letter_replay_items SET sent_at = sent_at - interval '1 hour'")
    second = await ask(engine, "second-nonce", reason_contains="envelope")
    await handle(late)
    assert await states(engine) == ["replaying"]
    assert ((await replay_of(engine)).failed_again, (await replay_of(engine, "second-nonce")).waiting) == (1, 1)
    assert second.id > first.id


async def test_a_replay_of_a_letter_that_this_database_does_not_have_is_set_aside_anew(engine: AsyncEngine) -> None:
    """A backup was restored meanwhile: nothing is lost."""
    topic = Topic()
    (event,) = poisoned(good(1))
    await reconciler(engine).handle([topic.put(with_ticket(event, Ticket(4_711, 1)))])
    (letter,) = await letters(engine)
    assert (letter["state"], letter["reason"]) == ("open", "envelope")


@pytest.mark.parametrize("header", ["", "1", "1/2/3", "-1/2", "a/b", "1" * 19 + "/1", "٣/٤", "1/2\n"])
async def test_a_header_that_is_not_ours_makes_no_replay(engine: AsyncEngine, header: str) -> None:
    (event,) = poisoned(good(1))
    spoilt = msgspec.structs.replace(event, headers=event.headers | {REPLAY_HEADER: header})
    await reconciler(engine).handle([Topic().put(spoilt)])
    assert await states(engine) == ["open"]


async def test_a_storm_of_replays_that_fail_again_does_not_stop_consumption(engine: AsyncEngine) -> None:
    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(*(good(n) for n in range(50)))))
    await ask(engine, reason_contains="envelope")
    handle = reconciler(engine, limit=3).handle
    await handle(await resent(engine, topic))
    assert await states(engine) == ["open"] * 50
    assert (await replay_of(engine)).failed_again == 50
    await handle(topic.take(good(100)))
    assert await value(engine, "SELECT count(*) FROM facts") == 1


async def test_the_limit_holds_after_a_storm_and_a_replay_that_works_does_not_hide_fresh_failures(
    engine: AsyncEngine,
) -> None:
    """A record by itself, the letter mended by hand, a fresh failure, and so on: only the fresh ones count."""
    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(*(good(n) for n in range(10)))))
    await ask(engine, reason_contains="envelope")
    handle = reconciler(engine, limit=3).handle
    replays = await resent(engine, topic)
    await handle(replays[:8])
    mended = [
        topic.put(with_ticket(fact_event(good(n)), ticket))
        for n, record in enumerate(replays[8:])
        if (ticket := read_ticket(read_headers(record.headers))) is not None
    ]
    await handle(all_of(topic, poisoned(good(20), good(21))))
    await handle(mended)
    assert (await replay_of(engine)).replayed == 2
    await handle(all_of(topic, poisoned(good(22))))
    with pytest.raises(StopConsumingError, match="4 records in a row"):
        await handle(all_of(topic, poisoned(good(23))))


async def test_a_storm_trickles_into_kafka(engine: AsyncEngine) -> None:
    """No more are on their way at once than the bound says, so that fresh records do not queue behind them."""
    from worker.storage import dead_letter_relay
    from worker.storage.engine import transaction

    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(*(good(n) for n in range(30)))))
    await ask(engine, reason_contains="envelope")
    taken: list[int] = []
    for _ in range(3):
        async with transaction(engine) as connection:
            unsent = await dead_letter_relay.take_unsent(connection, 8, 12)
            await dead_letter_relay.mark_sent(connection, [one.ticket for one in unsent])
        taken.append(len(unsent))
    assert taken == [8, 4, 0]
    await execute(engine, "UPDATE dead_letter_replay_items SET outcome = 'replayed' WHERE sent_at IS NOT NULL")
    async with transaction(engine) as connection:
        assert len(await dead_letter_relay.take_unsent(connection, 8, 12)) == 8


async def test_one_process_sends_at_a_time(engine: AsyncEngine) -> None:
    from worker.storage import dead_letter_relay
    from worker.storage.engine import transaction

    topic = Topic()
    await reconciler(engine).handle(all_of(topic, poisoned(good(1))))
    await ask(engine, reason_contains="envelope")
    async with transaction(engine) as one, transaction(engine) as other:
        assert len(await dead_letter_relay.take_unsent(one, 10, 10)) == 1
        assert await dead_letter_relay.take_unsent(other, 10, 10) == []


async def test_who_asked_for_what_and_why_is_in_the_audit_log(engine: AsyncEngine) -> None:
    await reconciler(engine).handle(all_of(Topic(), poisoned(good(1), good(2))))
    begun = await ask(engine, reason_contains="envelope")
    (line,) = await rows(engine, "SELECT * FROM audit_log")
    assert (line["actor"], line["action"], line["reason"]) == ("ann", "dead_letters.replay", "it is mended")
    assert line["subject"] == f"dead_letter_replay:{begun.id}"
    assert line["details"]["selection"] == {"reason_contains": "envelope"}
    assert (line["details"]["taken"], line["details"]["nonce"]) == (2, NONCE)
