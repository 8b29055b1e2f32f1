"""Every effect of the client against the sandbox: what the client says of it is what stands in the sandbox's books."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.marketplaces.servers import ACCESS_KEY, SECRET, USER_ID
from tests.sandbox.stage import DAY_S, HOUR_S, Stage
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import operations_of
from worker.domain.facts import Snapshot, Source
from worker.domain.identity import Platform
from worker.marketplaces.breaker import Breaker
from worker.marketplaces.caller import Caller, Routes
from worker.marketplaces.http import HttpCore
from worker.marketplaces.images import ImageFetcher
from worker.marketplaces.limits import NoLimit
from worker.marketplaces.pandapon.client import PandaPonClient
from worker.marketplaces.pandapon.wire import Credentials, PandaPonWire
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import EffectOutcome, FreightQuestion, FreightService, Receiver
from worker.sandbox import create_app
from worker.sandbox.menu import unpublished_path
from worker.sandbox.order import Order

RECEIVER = Receiver(name="A", country="US", address="1 Example Road", city="Example", zip="00000")
SERVICE = FreightService("AIR-ECONOMY", "Sandbox Air", "AIR")
PATHS = {
    operation.name: unpublished_path(operation) for operation in operations_of(Dialect.PANDAPON) if not operation.paths
}


class SandboxTime:
    """The client's clock stands where the sandbox's does."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def now_ms(self) -> int:
        return self._stage.clock.ms


@pytest.fixture
def stage() -> Stage:
    return Stage(
        orders=20,
        taobao_orders=6,
        agreement_share=1.0,
        buyer_confirms=False,
        settle_s=0.0,
        access_key=ACCESS_KEY,
        access_secret=SECRET,
        user_id=USER_ID,
    )


@pytest.fixture
async def api(stage: Stage) -> AsyncIterator[PandaPonClient]:
    stage.begin()
    clock = SandboxTime(stage)
    url = "http://sandbox.invalid"
    http = HttpCore(url, timeout_s=5.0, transport=httpx2.ASGITransport(create_app(stage.sandbox)))
    wire = PandaPonWire(Credentials(ACCESS_KEY, SECRET, USER_ID), clock)
    routes = Routes(Dialect.PANDAPON, "v1", PATHS)
    caller = Caller(
        http, wire, clock, routes=routes, limiter=NoLimit(), breaker=Breaker(lambda: 0.0, threshold=1_000_000)
    )
    here = ("sandbox.invalid",)
    made = PandaPonClient("main", caller, ImageFetcher((), here), PayLinks((), here), pay_batch_size=10)
    yield made
    await made.close()


async def read(api: PandaPonClient, order_id: str, platform: Platform = Platform.ALIBABA_1688) -> Snapshot:
    content = (await api.read_order(platform, order_id, Source.RESPONSE)).content
    assert isinstance(content, Snapshot)
    return content


def pay_everything(stage: Stage) -> None:
    for order in stage.orders:
        stage.sandbox.world.pay(order, "agreement")
    stage.advance(1)


def received(stage: Stage) -> Order:
    """An order of which every parcel has come, without refunds."""
    return stage.until(
        lambda: next((o for o in stage.orders if o.received_ms and not o.refunds and len(o.lines) > 1), None)
    )


async def test_the_receipt_of_lines_is_confirmed_and_what_is_too_early_is_not(
    stage: Stage, api: PandaPonClient
) -> None:
    pay_everything(stage)
    early = stage.orders[0]
    answer = await api.confirm_receipt(Platform.ALIBABA_1688, early.order_id, [str(early.lines[0].line_id)])
    assert answer.outcome is not EffectOutcome.DONE
    assert await stage.book("receipts") == []
    order = received(stage)
    lines = [str(line.line_id) for line in order.lines]
    for line_id in lines:
        done = await api.confirm_receipt(Platform.ALIBABA_1688, order.order_id, [line_id])
        assert done.outcome is EffectOutcome.DONE
    assert [row["line_ids"] for row in await stage.book("receipts")] == [[line_id] for line_id in lines]
    lifecycle = (await read(api, order.order_id)).lifecycle
    assert lifecycle is not None
    assert lifecycle.word == "confirm_goods"


async def test_an_order_is_cancelled_before_payment_and_not_after(stage: Stage, api: PandaPonClient) -> None:
    first, second = (order for order in stage.orders[:2])
    assert (await api.cancel(Platform.ALIBABA_1688, first.order_id, "changed my mind")).outcome is EffectOutcome.DONE
    stage.sandbox.world.pay(second, "agreement")
    stage.advance(1)
    refused = await api.cancel(Platform.ALIBABA_1688, second.order_id, "too late")
    assert refused.outcome is EffectOutcome.REJECTED
    assert [row["order_id"] for row in await stage.book("cancels")] == [first.order_id]


async def test_several_orders_are_paid_in_one_submission(stage: Stage, api: PandaPonClient) -> None:
    wanted = [order.order_id for order in stage.orders[:3]]
    closed = stage.orders[3]
    stage.sandbox.world.cancel(closed, "x")
    answers = await api.pay_many(Platform.ALIBABA_1688, [*wanted, closed.order_id])
    assert [answers[order_id].outcome for order_id in wanted] == [EffectOutcome.DONE] * 3
    assert answers[closed.order_id].outcome is EffectOutcome.UNCLEAR
    assert [row["order_id"] for row in await stage.book("payments")] == wanted


async def test_the_warehouse_is_told_and_what_is_booked_is_shown_by_the_order(
    stage: Stage, api: PandaPonClient
) -> None:
    pay_everything(stage)
    order = received(stage)
    snapshot = await read(api, order.order_id)
    parcels, lines = snapshot.parcels or (), snapshot.lines or ()
    told = await api.update_domestic_logistics(Platform.ALIBABA_1688, order.order_id, parcels, lines)
    assert told.outcome is EffectOutcome.DONE
    (notice,) = await stage.book("warehouse-notices")
    waybills = {
        parcel["logisticNumer"]
        for info in notice["content"]["logisticInfos"]
        for parcel in info["domesticLogisticInfo"]
    }
    assert waybills == {parcel.waybill for parcel in order.parcels}
    question = FreightQuestion(Platform.ALIBABA_1688, order.order_id, RECEIVER, SERVICE, lines)
    quote = await api.preview_freight(question)
    booked = await api.book_international(question, quote.render_id)
    assert booked.outcome is EffectOutcome.DONE
    (row,) = await stage.book("bookings")
    assert (row["number"], row["amount_fen"]) == (booked.reference, quote.amount)
    assert quote.expires_at == (await stage.book("renders"))[0]["expires_at"]
    again = await api.book_international(question, quote.render_id)
    assert again.outcome is EffectOutcome.REJECTED, "a render id is good once"
    stage.advance(HOUR_S)
    expired = await api.preview_freight(question)
    stage.advance(61)
    assert (await api.book_international(question, expired.render_id)).outcome is EffectOutcome.REJECTED
    assert len(await stage.book("bookings")) == 1
    shown: Any = stage.sandbox.world.shown(order)["internationalLogistics"]
    assert shown["logisticsItems"][0]["logisticsBillNo"] == booked.reference


async def test_a_purchase_order_on_taobao_is_read_paid_cancelled_and_sent_abroad(
    stage: Stage, api: PandaPonClient
) -> None:
    stage.advance(120)
    paid, cancelled = [order for order in stage.sandbox.taobao.orders.values() if order.status == "WAIT_BUYER_P"][:2]
    answer = await api.pay(Platform.TAOBAO, paid.order_id, paid.total_fen)
    assert answer.outcome is EffectOutcome.UNCLEAR, "only a read shows it"
    assert (await api.cancel(Platform.TAOBAO, cancelled.order_id, "x")).outcome is EffectOutcome.UNCLEAR
    stage.advance(120)
    snapshot = await read(api, paid.order_id, Platform.TAOBAO)
    assert snapshot.lifecycle is not None
    assert snapshot.lifecycle.paid
    assert cancelled.status == "TRADE_CLOSED"
    stage.advance(10 * DAY_S)
    snapshot = await read(api, paid.order_id, Platform.TAOBAO)
    parcels, lines = snapshot.parcels or (), snapshot.lines or ()
    told = await api.update_domestic_logistics(Platform.TAOBAO, paid.order_id, parcels, lines)
    assert told.outcome is EffectOutcome.DONE
    question = FreightQuestion(Platform.TAOBAO, paid.order_id, RECEIVER, SERVICE, lines)
    booked = await api.book_international(question, (await api.preview_freight(question)).render_id)
    assert [row["order_id"] for row in await stage.book("bookings")] == [paid.order_id]
    assert booked.reference == paid.shipments[0].number
