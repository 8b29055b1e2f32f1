"""The database's own guard over follow-ups agrees with the domain, for every step of every effect."""

from itertools import product

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.storage.database import add_order, execute
from worker.domain.effects import READ_TRANSITIONS, TRANSITIONS, EffectState
from worker.domain.policy import Effect
from worker.storage.engine import transaction

STEPS = {Effect.PAY: TRANSITIONS, Effect.REFRESH: READ_TRANSITIONS, Effect.FIND_SUBSTITUTES: READ_TRANSITIONS}
_INSERT = text(
    "INSERT INTO follow_ups (order_ref, account, effect, purpose, state)"
    " VALUES (:ref, 'main', :effect, :purpose, :state) RETURNING id"
)
_MOVE = text("UPDATE follow_ups SET state = :state WHERE id = :id")


async def allowed(connection: AsyncConnection, ref: int, effect: Effect, old: EffectState, new: EffectState) -> bool:
    values = {"ref": ref, "effect": effect.value, "purpose": f"{old}>{new}", "state": old.value}
    follow_up = (await connection.execute(_INSERT, values)).scalar_one()
    try:
        async with connection.begin_nested():
            await connection.execute(_MOVE, {"state": new.value, "id": follow_up})
    except IntegrityError as error:
        if f"({effect}) cannot go from {old} to {new}" in str(error.orig):
            return False
        raise
    return True


@pytest.mark.parametrize("effect", list(Effect))
async def test_the_trigger_lets_exactly_the_domains_steps_pass(engine: AsyncEngine, effect: Effect) -> None:
    ref = await add_order(engine, "1")
    wrong = []
    async with transaction(engine) as connection:
        for old, new in product(EffectState, EffectState):
            expected = old is new or new in STEPS[effect].get(old, frozenset())
            if await allowed(connection, ref, effect, old, new) != expected:
                wrong.append((old.value, new.value, expected))
    assert wrong == []


def test_what_is_over_stays_over() -> None:
    for over in (EffectState.SUCCEEDED, EffectState.REJECTED, EffectState.CANCELLED):
        assert TRANSITIONS[over] == frozenset()


def test_nothing_leads_from_unknown_back_to_a_call() -> None:
    assert TRANSITIONS[EffectState.UNKNOWN] == {EffectState.SUCCEEDED, EffectState.REJECTED}


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
