"""The client of the 1688 open platform and the sandbox's twin of it, written apart, understand each other."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.marketplaces.open_platform import (
    APP_KEY,
    APP_SECRET,
    FIRST_TOKEN,
    REFRESH_TOKEN,
    buyer,
    open_platform,
)
from tests.sandbox.aop.caller import OpenStage
from tests.sandbox.stage import always
from tests.waiting import until
from worker.domain.clock import SystemClock
from worker.domain.facts import RefundSeen, Snapshot, Source, StatusSeen
from worker.domain.identity import Platform
from worker.marketplaces.alibaba1688.callbacks import parse, verify
from worker.marketplaces.alibaba1688.client import Alibaba1688Client
from worker.marketplaces.alibaba1688.signing import call_signature, push_signature
from worker.marketplaces.http import READ_ATTEMPTS
from worker.marketplaces.port import (
    EffectOutcome,
    NotSentError,
    RejectedError,
    RetryableError,
    Stream,
    ThrottledError,
    UnauthorisedError,
)
from worker.sandbox import AopConfig, Sandbox, SandboxConfig, SandboxServer
from worker.sandbox.aop.signature import signed
from worker.sandbox.faults import LEVELS, CallFaults, Fault
from worker.sandbox.order import Order

ORDERS = 45
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
ON_1688 = Platform.ALIBABA_1688


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[SandboxServer]:
    """At the speed of reality nothing happens to its orders but what the test does. Nobody hears its pushes."""
    config = SandboxConfig(
        seed=3,
        orders=ORDERS,
        arrival_s=0,
        speed=1,
        settle_s=0,
        hang_s=1.5,
        access_key=APP_KEY,
        access_secret=APP_SECRET,
        push="alibaba1688",
        callback_url="http://127.0.0.1:9/",
        aop=AopConfig(
            access_token=FIRST_TOKEN, refresh_token=REFRESH_TOKEN, callback_tries=1, cancel_after_s=0.0, pay_tries=99
        ),
    )
    async with SandboxServer(config) as running:
        running.sandbox.start()
        await until(lambda: len(running.sandbox.open_platform.queue.all) == ORDERS)
        yield running


@pytest.fixture
async def sandbox(server: SandboxServer) -> Sandbox:
    server.sandbox.faults = CallFaults(1, LEVELS["none"])
    server.sandbox.traffic.calls.clear()
    server.sandbox.traffic.close_for(0)
    await steer(server, "permissions", denied=[])
    await steer(server, "agreement", signed=True)
    await steer(server, "payments", next=[])
    return server.sandbox


@pytest.fixture(scope="module")
async def twin(server: SandboxServer) -> AsyncIterator[Alibaba1688Client]:
    async with buyer(server.url, SystemClock().now_ms(), timeout_s=1.0) as made:
        yield made


async def steer(server: SandboxServer, path: str, **body: object) -> None:
    async with httpx2.AsyncClient(base_url=server.url) as client:
        assert (await client.post(f"/_sandbox/aop/{path}", json=body)).status_code == 200


def unpaid(sandbox: Sandbox) -> Order:
    """An order that waits for its payment and was never asked for it."""
    tried = sandbox.open_platform.pay_tries
    return next(order for order in sandbox.world.orders.values() if order.payable and not tried[order.order_id])


def taken(sandbox: Sandbox, order: Order) -> int:
    return [row.order_id for row in sandbox.world.ledger].count(order.order_id)


async def test_an_order_is_read_as_the_twin_has_it(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    for order_id, order in list(sandbox.world.orders.items())[:10]:
        fact = await twin.read_order(ON_1688, order_id, Source.RESPONSE)
        assert isinstance(fact.content, Snapshot)
        assert fact.content.lifecycle is not None
        assert fact.content.amounts is not None
        assert (fact.content.lifecycle.word, fact.content.lifecycle.modified_at) == (order.status, order.modified_ms)
        assert (fact.content.amounts.total, fact.content.amounts.shipping) == (order.total_fen, order.shipping_fen)
        assert [line.line_id for line in fact.content.lines or ()] == [str(line.line_id) for line in order.lines]
    with pytest.raises(RejectedError):
        await twin.read_order(ON_1688, "1", Source.RESPONSE)


async def test_the_pages_of_the_list_hold_every_order_once(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    now = SystemClock().now_ms()
    pages = [await twin.list_modified(Stream.ORDERS_1688, now - HOUR_MS, now + HOUR_MS, page) for page in (1, 2, 3)]
    assert [len(page.facts) for page in pages] == [20, 20, 5]
    assert {page.total_pages for page in pages} == {3}
    found = {fact.key.order_id: fact for page in pages for fact in page.facts}
    assert found.keys() == sandbox.world.orders.keys()
    for order_id, fact in found.items():
        order = sandbox.world.orders[order_id]
        assert (fact.content, fact.provider_time) == (StatusSeen(order.status), order.modified_ms)


@pytest.mark.parametrize("age_days", [79, 82, 88, 92, 400])
async def test_an_old_order_is_found_on_either_side_of_the_border_to_history(
    sandbox: Sandbox, twin: Alibaba1688Client, age_days: int
) -> None:
    order = unpaid(sandbox)
    was = order.created_ms, order.modified_ms
    order.created_ms = order.modified_ms = SystemClock().now_ms() - age_days * DAY_MS
    at = order.modified_ms
    page = await twin.list_modified(Stream.ORDERS_1688, at - HOUR_MS, at + HOUR_MS, 1)
    order.created_ms, order.modified_ms = was
    assert [fact.key.order_id for fact in page.facts] == [order.order_id]


async def test_failed_pushes_stay_until_they_are_confirmed(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    found = await twin.failed_messages()
    assert await twin.failed_messages() == found or len(found.facts) >= ORDERS
    assert found.unreadable == ()
    assert {fact.key.order_id for fact in found.facts} == set(sandbox.world.orders)
    for _ in range(2):
        await twin.confirm_messages(found.message_ids)
    again = await twin.failed_messages()
    assert not set(again.message_ids) & set(found.message_ids)


async def test_a_token_that_ends_in_the_middle_is_renewed_once_for_all(
    server: SandboxServer, sandbox: Sandbox, twin: Alibaba1688Client
) -> None:
    order_id = next(iter(sandbox.world.orders))
    await twin.read_order(ON_1688, order_id, Source.RESPONSE)
    before = sandbox.open_platform.tokens.refreshed
    await steer(server, "tokens", expire=True)
    facts = await asyncio.gather(*(twin.read_order(ON_1688, order_id, Source.RESPONSE) for _ in range(8)))
    assert len(facts) == 8
    assert sandbox.open_platform.tokens.refreshed == before + 1


async def test_where_a_renewal_ends_the_token_before_it_calls_under_way_do_not_renew_again_and_again() -> None:
    config = SandboxConfig(
        orders=1,
        arrival_s=0,
        speed=1,
        access_key=APP_KEY,
        access_secret=APP_SECRET,
        aop=AopConfig(access_token=FIRST_TOKEN, refresh_token=REFRESH_TOKEN, refresh_revokes=True),
    )
    async with SandboxServer(config) as server, buyer(server.url, SystemClock().now_ms()) as api:
        server.sandbox.start()
        await until(lambda: server.sandbox.world.orders)
        (order_id,) = server.sandbox.world.orders
        for renewals in (1, 2):
            await steer(server, "tokens", expire=True)
            reads = [api.read_order(ON_1688, order_id, Source.RESPONSE) for _ in range(60)]
            assert len(await asyncio.gather(*reads)) == 60
            assert server.sandbox.open_platform.tokens.refreshed == renewals


async def test_a_refresh_token_that_ended_is_for_a_person(server: SandboxServer, sandbox: Sandbox) -> None:
    async with buyer(server.url, SystemClock().now_ms(), refresh_token="ended") as other:
        await steer(server, "tokens", expire=True)
        with pytest.raises(UnauthorisedError):
            await other.read_order(ON_1688, next(iter(sandbox.world.orders)), Source.RESPONSE)


WAYS = [
    ("ok", EffectOutcome.DONE, 1),
    ("false", EffectOutcome.UNCLEAR, 0),
    ("false_but_debited", EffectOutcome.UNCLEAR, 1),
    ("timeout", EffectOutcome.UNCLEAR, 0),
    ("timeout_but_debited", EffectOutcome.UNCLEAR, 1),
]


@pytest.mark.parametrize(("way", "outcome", "money"), WAYS)
async def test_only_a_plain_yes_is_taken_for_a_payment(
    server: SandboxServer, sandbox: Sandbox, twin: Alibaba1688Client, way: str, outcome: EffectOutcome, money: int
) -> None:
    order = unpaid(sandbox)
    await steer(server, "payments", next=[way])
    answer = await twin.pay(ON_1688, order.order_id, order.total_fen)
    assert (answer.outcome, taken(sandbox, order)) == (outcome, money)
    assert sandbox.traffic.calls["1688.payment.prepare"] == 1


async def test_an_amount_that_is_not_the_orders_takes_nothing(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    order = unpaid(sandbox)
    answer = await twin.pay(ON_1688, order.order_id, order.total_fen + 1)
    assert answer.outcome is not EffectOutcome.DONE
    assert taken(sandbox, order) == 0


async def test_without_an_agreement_a_person_gets_the_cashiers_link(
    server: SandboxServer, sandbox: Sandbox, twin: Alibaba1688Client
) -> None:
    order = unpaid(sandbox)
    await steer(server, "agreement", signed=False)
    answer = await twin.pay(ON_1688, order.order_id, order.total_fen)
    assert answer.outcome is EffectOutcome.NEEDS_PERSON
    assert answer.pay_url == f"https://trade.1688.com/order/cashier.htm?orderId={order.order_id}"
    assert taken(sandbox, order) == 0


async def test_a_throttle_is_heard_and_a_payment_under_it_is_not_sent(
    sandbox: Sandbox, twin: Alibaba1688Client
) -> None:
    order = unpaid(sandbox)
    sandbox.traffic.close_for(60)
    with pytest.raises(ThrottledError):
        await twin.read_order(ON_1688, order.order_id, Source.RESPONSE)
    assert sandbox.traffic.calls["1688.order.detail"] == READ_ATTEMPTS
    with pytest.raises(NotSentError):
        await twin.pay(ON_1688, order.order_id, order.total_fen)
    sandbox.traffic.close_for(0)
    assert taken(sandbox, order) == 0


async def test_a_permission_that_is_missing_says_what_to_do(
    server: SandboxServer, sandbox: Sandbox, twin: Alibaba1688Client
) -> None:
    await steer(server, "permissions", denied=["1688.order.detail"])
    with pytest.raises(RejectedError, match="apply for the operation in the console"):
        await twin.read_order(ON_1688, next(iter(sandbox.world.orders)), Source.RESPONSE)


@pytest.mark.parametrize("wrong", ["secret", "clock"])
async def test_a_wrong_secret_or_clock_is_said_so(server: SandboxServer, sandbox: Sandbox, wrong: str) -> None:
    now = SystemClock().now_ms() - (HOUR_MS if wrong == "clock" else 0)
    async with buyer(server.url, now, secret="x" if wrong == "secret" else APP_SECRET) as other:
        with pytest.raises(UnauthorisedError):
            await other.read_order(ON_1688, next(iter(sandbox.world.orders)), Source.RESPONSE)


READ_FAULTS = [
    (Fault.ERROR, RetryableError),
    (Fault.THROTTLED, ThrottledError),
    (Fault.THROTTLED_429, ThrottledError),
    (Fault.DROPPED, RetryableError),
]


@pytest.mark.parametrize(("fault", "error"), READ_FAULTS)
async def test_a_read_that_meets_a_fault_is_tried_again_within_bounds(
    sandbox: Sandbox, twin: Alibaba1688Client, fault: Fault, error: type[Exception]
) -> None:
    order_id = next(iter(sandbox.world.orders))
    sandbox.faults = CallFaults(1, always(fault))
    with pytest.raises(error):
        await twin.read_order(ON_1688, order_id, Source.RESPONSE)
    assert sandbox.traffic.calls["1688.order.detail"] == READ_ATTEMPTS


async def test_an_order_is_cancelled_once_and_a_paid_one_not(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    order, paid = unpaid(sandbox), unpaid(sandbox)
    assert (await twin.cancel(ON_1688, order.order_id, "price")).outcome is EffectOutcome.DONE
    assert order.status == "cancel"
    assert (await twin.cancel(ON_1688, order.order_id, "price")).outcome is not EffectOutcome.DONE
    paid = unpaid(sandbox)
    sandbox.world.pay(paid, "agreement")
    assert (await twin.cancel(ON_1688, paid.order_id, "price")).outcome is not EffectOutcome.DONE
    assert len(sandbox.ledgers.cancels) == 1


async def test_what_was_not_shipped_is_not_confirmed(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    order = unpaid(sandbox)
    answer = await twin.confirm_receipt(ON_1688, order.order_id, [str(order.lines[0].line_id)])
    assert answer.outcome is not EffectOutcome.DONE
    assert sandbox.ledgers.receipts == []


async def test_refunds_are_listed_in_fen_with_their_lines(sandbox: Sandbox, twin: Alibaba1688Client) -> None:
    order = unpaid(sandbox)
    sandbox.world.pay(order, "agreement")
    await until(lambda: order.paid)
    order.apply_refund("TQ1", 0, 123, sandbox.now_ms())
    now = sandbox.now_ms()
    page = await twin.list_modified(Stream.REFUNDS_1688, now - HOUR_MS, now + HOUR_MS, 1)
    (fact,) = [fact for fact in page.facts if fact.key.order_id == order.order_id]
    line_ids = (str(order.lines[0].line_id),)
    assert fact.content == RefundSeen("TQ1", word="waitselleragree", amount=123, line_ids=line_ids, reason="不想要了")


async def test_offers_are_found_by_picture_and_an_effect_that_meets_an_ended_token_is_not_sent_again(
    server: SandboxServer, sandbox: Sandbox
) -> None:
    await steer(server, "tokens", expire=True)
    async with (
        open_platform() as pictures,
        buyer(server.url, SystemClock().now_ms(), pictures=pictures.url) as other,
    ):
        with pytest.raises(UnauthorisedError):
            await other.find_similar(f"{pictures.url}/image/1.jpg", 5)
        assert sandbox.traffic.calls["1688.goods.image_upload"] == 1
        offers = await other.find_similar(f"{pictures.url}/image/1.jpg", 5)
    assert len(offers) == 5
    assert all(offer.price is not None and offer.sold_monthly is not None for offer in offers)


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=6), st.text(max_size=30))
def test_both_sides_sign_alike_whatever_is_said(params: dict[str, str], path: str) -> None:
    params.pop("_aop_signature", None)
    secret = "a secret"
    assert signed(params, secret, path) == call_signature(path, params.items(), secret)
    assert signed(params, secret) == push_signature(params.items(), secret)


def test_every_push_of_a_whole_world_is_signed_and_understood() -> None:
    stage = OpenStage(orders=120)
    stage.play()
    kinds: Counter[str] = Counter()
    for _, push in stage.pushed:
        body, _headers = stage.sandbox.outbox.courier.written(push, stage.clock.ms, "")
        assert verify(body, stage.sandbox.config.access_secret)
        assert not verify(body, "another secret")
        facts = parse("main", body, stage.clock.ms)
        assert [fact.key.order_id for fact in facts] == [push.order_id]
        kinds.update(type(fact.content).__name__ for fact in facts)
    assert set(kinds) == {"StatusSeen", "PriceSeen", "RefundSeen", "LogisticsSeen"}
