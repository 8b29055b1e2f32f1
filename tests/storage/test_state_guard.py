"""The database's own guard over follow-ups agrees with the domain, for every step of every effect."""

import uuid
from itertools import product
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.storage.database import add_order, execute
from worker.domain.effects import CLEARED_STEPS, READ_TRANSITIONS, TRANSITIONS, EffectState
from worker.storage.engine import transaction

EFFECTS = ("pay", "update_domestic_logistics", "confirm_receipt", "book_international", "cancel")
READS = ("refresh", "find_substitutes", "read_refund")
_INSERT = text(
    "INSERT INTO follow_ups (order_ref, account, effect, purpose, state, attempts)"
    " VALUES (:ref, 'main', :effect, :purpose, :state, :attempts) RETURNING id"
)
_MOVE = text("UPDATE follow_ups SET state = :state, cleared = CAST(CAST(:cleared AS text) AS jsonb) WHERE id = :id")


async def allowed(
    connection: AsyncConnection,
    values: dict[str, Any],
    new: EffectState,
    cleared: str | None = None,
) -> bool:
    """Whether the database lets a follow-up with these values go on to `new`."""
    follow_up = (await connection.execute(_INSERT, values | {"purpose": uuid.uuid4().hex})).scalar_one()
    try:
        async with connection.begin_nested():
            await connection.execute(_MOVE, {"state": new.value, "id": follow_up, "cleared": cleared})
    except IntegrityError as error:
        if f"({values['effect']}) cannot go from {values['state']} to {new}" in str(error.orig):
            return False
        raise
    return True


@pytest.mark.parametrize("effect", [*EFFECTS, *READS])
async def test_the_trigger_lets_exactly_the_domains_steps_pass(engine: AsyncEngine, effect: str) -> None:
    ref = await add_order(engine, "1")
    steps = READ_TRANSITIONS if effect in READS else TRANSITIONS
    wrong = []
    async with transaction(engine) as connection:
        for old, new in product(EffectState, EffectState):
            expected = old is new or new in steps.get(old, frozenset())
            values = {"ref": ref, "effect": effect, "state": old.value, "attempts": 1}
            if await allowed(connection, values, new, '{"by": "reads"}') != expected:
                wrong.append((old.value, new.value, expected))
    assert wrong == []


@pytest.mark.parametrize(("old", "new"), sorted(CLEARED_STEPS))
async def test_another_attempt_needs_what_allows_it(engine: AsyncEngine, old: EffectState, new: EffectState) -> None:
    ref = await add_order(engine, "1")
    async with transaction(engine) as connection:
        values = {"ref": ref, "effect": "pay", "state": old.value, "attempts": 1}
        assert not await allowed(connection, values, new, None)
        assert await allowed(connection, values, new, '{"by": "reads"}')


async def test_what_was_cancelled_unsent_may_be_planned_again(engine: AsyncEngine) -> None:
    ref = await add_order(engine, "1")
    async with transaction(engine) as connection:
        values = {"ref": ref, "effect": "pay", "state": "cancelled", "attempts": 0}
        assert await allowed(connection, values, EffectState.PLANNED)


def test_what_has_succeeded_stays_so() -> None:
    assert TRANSITIONS[EffectState.SUCCEEDED] == frozenset()


def test_every_way_back_to_a_call_is_one_that_has_to_be_cleared_or_was_never_begun() -> None:
    over = {EffectState.UNKNOWN, EffectState.REJECTED, EffectState.CANCELLED, EffectState.SUCCEEDED}
    back = {(old, new) for old, steps in TRANSITIONS.items() for new in steps if old in over and new not in over}
    assert back == CLEARED_STEPS


async def test_the_audit_log_is_only_ever_appended_to(engine: AsyncEngine) -> None:
    await execute(
        engine, "INSERT INTO audit_log (actor, action, subject, reason) VALUES ('ann', 'approve', 'follow_up:1', 'ok')"
    )
    for statement in ("UPDATE audit_log SET actor = 'bob'", "DELETE FROM audit_log", "TRUNCATE audit_log"):
        with pytest.raises(IntegrityError, match="only ever appended to"):
            await execute(engine, statement)


async def test_one_open_pause_per_account_and_effect(engine: AsyncEngine) -> None:
    insert = "INSERT INTO pauses (effect, reason, actor) VALUES ('pay', 'look', 'ann')"
    await execute(engine, insert)
    with pytest.raises(IntegrityError):
        await execute(engine, insert)
    await execute(engine, "UPDATE pauses SET lifted_at = now(), lifted_by = 'bob'")
    await execute(engine, insert)


async def test_one_follow_up_per_order_effect_and_purpose(engine: AsyncEngine) -> None:
    ref = await add_order(engine, "1")
    insert = "INSERT INTO follow_ups (order_ref, account, effect, purpose) VALUES (:ref, 'main', 'pay', 'full')"
    await execute(engine, insert, ref=ref)
    with pytest.raises(IntegrityError):
        await execute(engine, insert, ref=ref)


async def test_one_open_attempt_per_follow_up(engine: AsyncEngine) -> None:
    ref = await add_order(engine, "1")
    await execute(
        engine, "INSERT INTO follow_ups (order_ref, account, effect, purpose) VALUES (:r, 'main', 'pay', 'full')", r=ref
    )
    insert = (
        "INSERT INTO follow_up_attempts (follow_up_id, claim_token, operation, evidence)"
        " SELECT id, gen_random_uuid(), 'order_pay', '{}' FROM follow_ups"
    )
    await execute(engine, insert)
    with pytest.raises(IntegrityError):
        await execute(engine, insert)
    await execute(engine, "UPDATE follow_up_attempts SET finished_at = now()")
    await execute(engine, insert)
