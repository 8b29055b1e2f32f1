"""Whatever the sandbox pushes, in whichever words, is understood."""

from collections import Counter
from typing import Any

import pytest

from tests.sandbox.stage import DAY_S, Stage
from worker.domain.facts import Fact, PriceSeen, RefundSeen, StatusSeen
from worker.domain.identity import Platform
from worker.marketplaces.pandapon.callbacks import parse


def facts_of(stage: Stage) -> list[tuple[str, Fact]]:
    """Every fact of every message as it leaves, beside the order that the sandbox told of."""
    courier = stage.sandbox.outbox.courier
    return [
        (push.order_id, fact)
        for at, push in stage.pushed
        for fact in parse("main", courier.written(push, at, "n" * 32)[0], at)
    ]


@pytest.mark.parametrize("push", ["pandapon", "xport"])
def test_every_message_about_1688_becomes_facts_about_its_own_order(push: Any) -> None:
    stage = Stage(orders=120, push=push)
    stage.play()
    told = facts_of(stage)
    assert len({order_id for order_id, _ in told}) == 120
    assert all(fact.key.order_id == order_id for order_id, fact in told)
    assert {fact.key.platform for _, fact in told} == {Platform.ALIBABA_1688}
    kinds = Counter(type(fact.content) for _, fact in told)
    assert all(kinds[kind] for kind in (StatusSeen, PriceSeen, RefundSeen))


def test_every_message_about_taobao_becomes_facts_about_its_own_order() -> None:
    stage = Stage(orders=0, taobao_orders=60)
    stage.sandbox.start()
    stage.advance(DAY_S)
    for order in stage.sandbox.taobao.orders.values():
        if order.payable:
            stage.sandbox.taobao.pay(order, "agreement")
    stage.advance(20 * DAY_S)
    told = facts_of(stage)
    assert all(fact.key.order_id == order_id for order_id, fact in told)
    assert {fact.key.platform for _, fact in told} == {Platform.TAOBAO}
    kinds = Counter(type(fact.content) for _, fact in told)
    assert all(kinds[kind] for kind in (StatusSeen, PriceSeen, RefundSeen))
