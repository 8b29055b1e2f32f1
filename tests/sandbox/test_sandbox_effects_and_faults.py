"""Effects whose answer is lost have happened all the same; effects whose request is lost have not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.sandbox.stage import Stage, always
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.sandbox.faults import CallFaults, Fault
from worker.sandbox.menu import unpublished_path

RECEIVER = {"name": "A", "address": "1 Example Road", "city": "Example", "country": "US"}
FREIGHT = {"serviceId": "SEA-STANDARD", "companyName": "Sandbox Sea", "serviceCategory": "SEA"}
ITEM = {"itemId": "1", "skuId": "2", "quantity": 1, "freightInfo": FREIGHT, "currency": "CNY", "price": "1.00"}
LOST_ANSWERS = (Fault.LATE_ERROR, Fault.LATE_REFUSAL, Fault.LATE_DROP)
LOST_REQUESTS = (Fault.ERROR, Fault.THROTTLED, Fault.THROTTLED_429, Fault.DROPPED)


async def confirm(stage: Stage) -> Any:
    order = next(order for order in stage.orders if order.received_ms and not order.refunds and not order.ended)
    return await stage.post("/alibaba/order/receivegoods", {"orderId": order.life.order_id})


async def cancel(stage: Stage) -> Any:
    order = next(order for order in stage.orders if order.payable)
    body = {"webSite": "1688", "orderId": order.life.order_id, "cancelReason": "other"}
    return await stage.post("/alibaba/order/cancel", body)


async def book(stage: Stage) -> Any:
    render = stage.sandbox.ledgers.renders[0].render_id
    body = {"renderId": render, "receiverAddress": RECEIVER, "lineItems": [ITEM]}
    return await stage.warehouse("/open/pp/logistics/orderBookingFreight", body)


async def tell(stage: Stage) -> Any:
    parcel = {"logisticNumer": "YT1", "logisticCompanyName": "c", "rtsTime": ""}
    infos = [{"lineItem": ITEM, "domesticLogisticInfo": [parcel]}]
    body = {"orderId": stage.orders[0].order_id, "logisticInfos": infos}
    return await stage.warehouse("/open/pp/logistics/updateLogisticInfo", body)


async def pay_taobao(stage: Stage) -> Any:
    order = next(iter(stage.sandbox.taobao.orders.values()))
    path = unpublished_path(find(Dialect.PANDAPON, "taobao.order.pay"))
    return await stage.post(path, {"purchaseOrderIdList": [order.order_id]})


EFFECTS = [
    ("receipts", confirm),
    ("cancels", cancel),
    ("bookings", book),
    ("warehouse-notices", tell),
    ("payments", pay_taobao),
]


@pytest.fixture
async def stage() -> Stage:
    """Something for each effect: received, unpaid, previewed, waiting."""
    stage = Stage(orders=30, agreement_share=1.0, buyer_confirms=False, settle_s=0.0)
    for order in stage.begin():
        stage.sandbox.world.pay(order, "agreement")
    stage.until(lambda: next((o for o in stage.orders if o.received_ms and not o.refunds and not o.ended), None))
    stage.sandbox.world.add_orders(1)
    stage.sandbox.taobao.add_orders(1)
    stage.advance(120)
    body = {"receiverAddress": RECEIVER, "renderItems": [ITEM]}
    assert (await stage.warehouse("/open/pp/logistics/orderRenderFreight", body))["code"] == 200
    stage.sandbox.ledgers.payments.clear()
    return stage


@pytest.mark.parametrize("fault", [*LOST_ANSWERS, *LOST_REQUESTS])
@pytest.mark.parametrize(("name", "effect"), EFFECTS, ids=[name for name, _ in EFFECTS])
async def test_the_book_knows_whether_it_happened_whatever_the_caller_hears(
    stage: Stage, name: str, effect: Callable[[Stage], Awaitable[Any]], fault: Fault
) -> None:
    stage.sandbox.faults = CallFaults(1, always(fault))
    heard: Any = None
    try:
        heard = await effect(stage)
    except (ConnectionResetError, AssertionError, httpx2.HTTPError) as error:
        heard = error
    assert not (isinstance(heard, dict) and heard["code"] == 200), "the caller heard of a success"
    assert len(stage.sandbox.ledgers.books[name]) == (1 if fault in LOST_ANSWERS else 0)
