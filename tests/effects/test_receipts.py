"""A receipt releases money: never while a refund is open, whatever the marketplace would let through."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.effects.market import Market
from tests.effects.world import World
from tests.storage.database import rows
from worker.domain.policy import Effect, Policy
from worker.sandbox.refund import Refund


@pytest.mark.parametrize("heard", [False, True])
async def test_a_refund_that_opens_before_or_during_the_read_holds_the_receipt_back(
    engine: AsyncEngine, database: str, *, heard: bool
) -> None:
    market = Market(orders=80, days=40, buyer_confirms=False, lenient_receipts=True)
    world = World(engine, database, market, Policy(confirm_receipt=True))
    for order in market.orders():
        await world.introduce(order.order_id)
        if await world.states(Effect.CONFIRM_RECEIPT, order.order_id) == ["planned"]:
            break
    assert await world.states(Effect.CONFIRM_RECEIPT, order.order_id) == ["planned"]
    refund = Refund(refund_id="TQ1", line=0, amount_fen=1, applied_ms=market.clock())
    order.refunds.append(refund)
    order.modified_ms = market.clock()
    market.sandbox.world.history.keep(order)
    if heard:
        await world.introduce(order.order_id)
    for _ in range(3):
        await world.step()
    assert [row for row in market.sandbox.ledgers.receipts if row.order_id == order.order_id] == []
    assert not any(row.refund_open for row in market.sandbox.ledgers.receipts)
    assert await rows(engine, "SELECT 1 FROM follow_up_attempts a JOIN follow_ups f ON f.id = a.follow_up_id") == []
