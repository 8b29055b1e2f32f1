"""The kill switch is one row per scope: pulled by whoever may act, lifted by an operator, both with a reason."""

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.ledger.stage import ANN, OLE, VERA, deeds, open_causes
from tests.storage.database import rows
from worker.domain.effect_alerts import stopped_alert
from worker.domain.operators import RefusalKind, RefusedError
from worker.storage import alert_store, pause_store
from worker.storage.engine import transaction
from worker.storage.pause_store import Scope, open_pause, pause, resume

PAYING = Scope("main", "pay")


async def test_nobody_pauses_without_a_role_a_reason_or_a_real_effect(engine: AsyncEngine) -> None:
    for refused, kind, why in (
        (pause(engine, VERA, PAYING, reason="look"), RefusalKind.FORBIDDEN, "operator or approver"),
        (pause(engine, OLE, PAYING, reason=" "), RefusalKind.INVALID, "reason: is missing"),
        (pause(engine, OLE, Scope(effect="refresh"), reason="x"), RefusalKind.INVALID, "reading is never paused"),
        (pause(engine, OLE, Scope(effect="payy"), reason="x"), RefusalKind.INVALID, "expected one of pay,"),
    ):
        with pytest.raises(RefusedError, match=why) as caught:
            await refused
        assert caught.value.kind is kind
    assert await rows(engine, "SELECT * FROM pauses") == []


async def test_a_pause_is_open_until_it_is_lifted(engine: AsyncEngine) -> None:
    opened = await pause(engine, ANN, PAYING, reason="strange prices")
    assert opened.changed
    again = await pause(engine, OLE, PAYING, reason="me too")
    assert (again.id, again.changed) == (opened.id, False)
    async with engine.connect() as connection:
        assert await pause_store.find_open(connection, PAYING) == opened.id
        assert await pause_store.find_open(connection, Scope("main")) is None
    with pytest.raises(RefusedError, match="needs the role operator"):
        await resume(engine, ANN, opened.id, reason="over")
    assert await resume(engine, OLE, opened.id, reason="it was the seller") == PAYING
    with pytest.raises(RefusedError, match=f"no open pause has the id {opened.id}"):
        await resume(engine, OLE, opened.id, reason="again")
    assert await deeds(engine) == [
        ("ann", "pause", "account:main", "strange prices"),
        ("ole", "resume", "account:main", "it was the seller"),
    ]
    assert (await pause(engine, OLE, PAYING, reason="again")).changed


async def test_scopes_stand_beside_each_other(engine: AsyncEngine) -> None:
    scopes = [Scope(), Scope("main"), Scope(effect="pay"), PAYING]
    ids = [(await pause(engine, OLE, scope, reason="look")).id for scope in scopes]
    assert len(set(ids)) == 4
    await resume(engine, OLE, ids[0], reason="ok")
    async with engine.connect() as connection:
        still = await pause_store.list_pauses(connection, is_open=True, limit=10)
        lifted = await pause_store.list_pauses(connection, is_open=False, limit=10)
        page = await pause_store.list_pauses(connection, before=ids[2], limit=1)
    assert [row["id"] for row in still] == ids[:0:-1]
    assert [(row["id"], row["lifted_by"]) for row in lifted] == [(ids[0], "ole")]
    assert [row["id"] for row in page] == [ids[1]]


async def test_many_hands_on_the_switch_at_once_are_one_pause(engine: AsyncEngine) -> None:
    done = await asyncio.gather(*(pause(engine, OLE, Scope(), reason="stop") for _ in range(5)))
    assert len({one.id for one in done}) == 1
    assert sum(one.changed for one in done) == 1
    assert len(await deeds(engine)) == 1


async def test_the_worker_pulls_it_itself_in_its_own_transaction(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        await open_pause(connection, PAYING, actor="worker", reason="too many unknowns", automatic=True)
    (row,) = await rows(engine, "SELECT automatic, actor FROM pauses")
    assert row == {"automatic": True, "actor": "worker"}


async def test_who_sets_an_account_going_again_ends_its_alert(engine: AsyncEngine) -> None:
    async with transaction(engine) as connection:
        opened = await open_pause(connection, Scope("main"), actor="worker", reason="unknowns", automatic=True)
        await alert_store.open_alerts(connection, [stopped_alert("main", "unknowns")], {}, {})
        await alert_store.open_alerts(connection, [stopped_alert("second", "unknowns")], {}, {})
    await resume(engine, OLE, opened.id, reason="all settled")
    assert await open_causes(engine) == ["effects_stopped:second"]
