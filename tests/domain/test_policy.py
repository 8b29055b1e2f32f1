"""When an order is paid: never on unconfirmed data, never above the limit, never beyond the tolerance by one fen."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, TAOBAO_KEY, at, price, read, refund, status, step, told
from tests.domain.strategies import facts
from worker.domain.facts import Amounts, Fact, Lifecycle
from worker.domain.identity import Platform
from worker.domain.payments import baseline_total, decide_payment, price_hold
from worker.domain.policy import FULL_PAYMENT, SYNC, Decision, Effect, Policy, Verdict, Wanted
from worker.domain.reducer import Order
from worker.domain.settlement import Proof, settlements
from worker.domain.status import OrderStatus
from worker.domain.view import View
from worker.domain.wanted import wanted_follow_ups

POLICY = Policy(auto_pay=True, auto_pay_limit=50_000, price_tolerance=Decimal("0.02"))
GENEROUS = Policy(auto_pay=True, auto_pay_limit=10**13, price_tolerance=Decimal(10**6))
PAYABLE = told(read("waitbuyerpay", 0, total=10_000)).view


def decide(view: View, baseline: int | None = 10_000, *, newer: bool = False, policy: Policy = POLICY) -> Decision:
    return decide_payment(view, baseline, policy, now_unconfirmed=newer)


@pytest.mark.parametrize(
    ("total", "baseline", "tolerance", "held"),
    [
        (0, None, "0", "not payable"),
        (-1, None, "0", "not payable"),
        (0, 0, "0.02", "not payable"),
        (50_000, None, "0", None),
        (50_001, None, "0", "above the limit of 500.00 CNY"),
        (50_000, 1, "1000000", None),
        (10_200, 10_000, "0.02", None),
        (10_201, 10_000, "0.02", "rose from 100.00 to 102.01 CNY, more than the tolerance of 2.00 %"),
        (10_000, 10_000, "0", None),
        (10_001, 10_000, "0", "more than the tolerance of 0 %"),
        (9_999, 10_000, "0", None),
        (1, 0, "0.5", "rose from 0.00"),
        (1, -5, "0.5", "rose from -0.05"),
        (121, 110, "0.1", None),  # with floats the border would be 121.00000000000001
        (122, 110, "0.1", "rose from 1.10 to 1.22"),
    ],
)
def test_which_totals_need_a_person(total: int, baseline: int | None, tolerance: str, held: str | None) -> None:
    policy = msgspec.structs.replace(POLICY, price_tolerance=Decimal(tolerance))
    hold = price_hold(total, baseline, policy)
    if held is None:
        assert hold is None
    else:
        assert hold is not None
        assert held in hold


@settings(max_examples=120, deadline=None)
@given(st.integers(1, 10**10), st.decimals(0, 3, places=4))
def test_the_tolerance_is_exact_to_the_fen(baseline: int, tolerance: Decimal) -> None:
    policy = Policy(auto_pay=True, auto_pay_limit=10**13, price_tolerance=tolerance)
    per_myriad = int(tolerance * 10_000)
    border = baseline + baseline * per_myriad // 10_000
    assert price_hold(border, baseline, policy) is None
    assert price_hold(border + 1, baseline, policy) is not None


def test_a_confirmed_order_within_limit_and_tolerance_is_paid() -> None:
    assert decide(PAYABLE) == Decision(Verdict.PROCEED, "within limit and tolerance", 10_000)


@pytest.mark.parametrize("baseline", [None, 10_000, 9_804])
def test_the_border_of_the_tolerance_still_pays(baseline: int | None) -> None:
    assert decide(PAYABLE, baseline).verdict is Verdict.PROCEED


@pytest.mark.parametrize(
    ("view", "verdict"),
    [
        (told(read("waitsellersend", 0)).view, Verdict.DONE),
        (told(read("success", 0)).view, Verdict.DONE),
        (told(read("waitbuyerpay", 0, paid=True)).view, Verdict.DONE),
        (told(read("cancel", 0, paid=True)).view, Verdict.DONE),
        (told(read("waitbuyerpay", 0, paid=True), status("cancel", 60)).view, Verdict.DONE),
        (told(read("cancel", 0)).view, Verdict.NOT_WANTED),
        (told(read("waitbuyerpay", 0, total=None)).view, Verdict.WAIT),
        (told(read("waitselleract", 0)).view, Verdict.WAIT),
        (told(read("waitbuyerpay", 0), read("waitselleract", 60)).view, Verdict.WAIT),
        (told(read("waitbuyerpay", 0), price(10_000, 60)).view, Verdict.WAIT),
        (told(read("waitbuyerpay", 0), refund("TQ1", "waitselleragree", 60)).view, Verdict.WAIT),
        (told(read("waitbuyerpay", 0), status("waitsellersend", 60)).view, Verdict.WAIT),
        (told(read("waitbuyerpay", 0), status("cancel", 60)).view, Verdict.WAIT),
        (Order.new(KEY).view, Verdict.WAIT),
        (told(status("waitbuyerpay", 0), price(10_000, 0)).view, Verdict.WAIT),
    ],
)
def test_what_else_a_fresh_view_says_about_paying(view: View, verdict: Verdict) -> None:
    assert decide(view).verdict is verdict


@pytest.mark.parametrize("word", ["BULIDING", "WAIT_FINANCE_PAY", "ORDER_PAY_STATUS"])
def test_an_order_on_its_way_into_or_out_of_awaiting_payment_waits(word: str) -> None:
    order = told(msgspec.structs.replace(read(word, 0), key=TAOBAO_KEY))
    assert not order.view.unconfirmed
    assert decide(order.view).verdict is Verdict.WAIT


def test_something_newer_than_the_read_makes_the_payment_wait() -> None:
    assert decide(PAYABLE, newer=True).verdict is Verdict.WAIT
    assert decide(told(read("cancel", 0)).view, newer=True).verdict is Verdict.NOT_WANTED


@pytest.mark.parametrize(("total", "baseline"), [(10_201, 10_000), (50_001, 50_001), (0, 0)])
def test_a_price_beyond_the_rules_is_held_with_its_amount(total: int, baseline: int) -> None:
    decision = decide(told(read("waitbuyerpay", 0, total=total)).view, baseline)
    assert (decision.verdict, decision.amount) == (Verdict.HOLD, total)


def test_another_currency_than_the_limit_s_is_held() -> None:
    dollars = told(read("waitbuyerpay", 0, total=100, currency="USD"))
    assert decide(dollars.view, 100).verdict is Verdict.HOLD
    (wanted,) = wanted_follow_ups(dollars, POLICY)
    assert wanted.hold == "the total is in USD, the limit in CNY"


def payable_until(second: int) -> View:
    order = told(read("waitbuyerpay", 0, total=10_000))
    life = order.view.lifecycle
    assert life is not None
    return msgspec.structs.replace(order.view, lifecycle=msgspec.structs.replace(life, pay_until=at(second)))


@pytest.mark.parametrize(("left_s", "verdict"), [(31, Verdict.PROCEED), (30, Verdict.PROCEED), (29, Verdict.WAIT)])
def test_a_payment_is_not_begun_when_the_order_is_about_to_close(left_s: int, verdict: Verdict) -> None:
    decision = decide_payment(payable_until(100), 10_000, POLICY, now_unconfirmed=False, now=at(100 - left_s))
    assert decision.verdict is verdict


def test_an_approval_does_not_make_a_late_payment_punctual() -> None:
    late = decide_payment(payable_until(0), 10_000, POLICY, now_unconfirmed=False, now=at(1), approved=10_000)
    assert late.verdict is Verdict.WAIT


def test_a_policy_that_stopped_paying_pays_no_more() -> None:
    # It waits instead of being cancelled: switched on again, the account pays what was planned before.
    assert decide(PAYABLE, policy=Policy(auto_pay_limit=50_000)).verdict is Verdict.WAIT
    assert wanted_follow_ups(told(read("waitbuyerpay", 0)), Policy(auto_pay_limit=50_000)) == ()


def test_nothing_is_paid_by_default() -> None:
    assert decide(PAYABLE, policy=Policy()).verdict is Verdict.WAIT
    assert price_hold(1, None, Policy()) is not None


def test_a_confirmed_order_that_awaits_payment_wants_it_once() -> None:
    order = told(read("waitbuyerpay", 0, total=10_000))
    assert wanted_follow_ups(order, POLICY) == (Wanted(Effect.PAY, FULL_PAYMENT, amount=10_000),)


def test_a_price_beyond_the_first_seen_one_is_wanted_with_a_hold() -> None:
    (wanted,) = wanted_follow_ups(
        told(read("waitbuyerpay", 0, total=10_000), read("waitbuyerpay", 60, total=10_201)), POLICY
    )
    assert (wanted.effect, wanted.amount) == (Effect.PAY, 10_201)
    assert wanted.hold is not None


def test_an_unconfirmed_order_wants_a_read_and_nothing_else() -> None:
    order = told(read("waitbuyerpay", 0), price(9_000, 60))
    assert wanted_follow_ups(order, POLICY) == (Wanted(Effect.REFRESH, SYNC, not_before=order.view.refresh_after or 0),)


@pytest.mark.parametrize(
    "order",
    [
        told(read("waitsellersend", 0)),
        told(read("waitbuyerpay", 0, paid=True)),
        told(read("waitbuyerpay", 0, total=None)),
        told(read("cancel", 0)),
    ],
)
def test_a_confirmed_order_with_nothing_to_pay_wants_nothing(order: Order) -> None:
    assert wanted_follow_ups(order, POLICY) == ()


def test_an_amount_that_only_a_callback_told_is_not_paid_even_where_all_else_is_confirmed() -> None:
    order = told(read("waitbuyerpay", 0))
    heard = msgspec.structs.replace(order.view, amounts=Amounts(1), amounts_confirmed=False)
    assert wanted_follow_ups(msgspec.structs.replace(order, view=heard), POLICY) == ()
    assert decide(heard).verdict is Verdict.WAIT


def test_taobao_is_not_paid_yet() -> None:
    fact = msgspec.structs.replace(read("WAIT_BUYER_PAY", 0), key=TAOBAO_KEY)
    order = told(fact)
    assert (order.view.status, order.view.unconfirmed) == (OrderStatus.AWAITING_PAYMENT, False)
    assert wanted_follow_ups(order, POLICY) == ()


def test_taobao_is_not_paid_even_where_its_orders_can_be_read() -> None:
    order = told(msgspec.structs.replace(read("WAIT_BUYER_PAY", 0), key=TAOBAO_KEY))
    both = msgspec.structs.replace(POLICY, platforms=frozenset(Platform))
    assert order.view.status is OrderStatus.AWAITING_PAYMENT
    assert wanted_follow_ups(order, both) == ()


@settings(max_examples=120, deadline=None)
@given(st.lists(facts, max_size=10))
def test_no_payment_is_ever_wanted_or_made_on_unconfirmed_data(history: list[Fact]) -> None:
    order = told(*history)
    view = order.view
    pays = [wanted for wanted in wanted_follow_ups(order, GENEROUS) if wanted.effect is Effect.PAY]
    proceeds = decide(view, None, policy=GENEROUS).verdict is Verdict.PROCEED
    if pays or proceeds:
        assert not view.unconfirmed
        assert view.amounts_confirmed
        assert (view.status, view.word, view.is_paid) == (OrderStatus.AWAITING_PAYMENT, "waitbuyerpay", False)
        assert view.amounts is not None
        assert view.amounts == (order.evidence.amounts and order.evidence.amounts.value)
    assert proceeds == any(wanted.hold is None for wanted in pays)


def test_the_first_total_seen_is_the_baseline_whatever_arrives_first() -> None:
    story = [price(9_000, 10), read("waitbuyerpay", 20, total=10_000), price(12_000, 30)]
    assert [baseline_total(told(*arrival)) for arrival in (story, story[::-1])] == [9_000, 9_000]
    assert baseline_total(Order.new(KEY)) is None
    assert baseline_total(step(told(*story), price(8_000, 5)).order) == 8_000


def test_a_callback_with_a_price_too_high_makes_no_room_for_one() -> None:
    story = [price(1_000_000, 1), read("waitbuyerpay", 20, total=10_000), read("waitbuyerpay", 30, total=900_000)]
    assert [baseline_total(told(*arrival)) for arrival in (story, story[::-1])] == [10_000, 10_000]


@pytest.mark.parametrize("platform", sorted(Platform))
def test_of_an_order_that_cannot_be_called_about_nothing_is_wanted(platform: Platform) -> None:
    order = told(read("waitbuyerpay", 1))
    pays = Policy(auto_pay=True, auto_pay_limit=10**9)
    reachable = msgspec.structs.replace(pays, platforms=frozenset({platform}))
    assert bool(wanted_follow_ups(order, reachable)) == (order.key.platform is platform)


@pytest.mark.parametrize(
    ("history", "proof"),
    [
        ([], None),
        ([status("success", 1)], None),
        ([status("cancel", 1)], None),
        ([read("waitbuyerpay", 1)], Proof.NOT_DONE),
        ([read("waitbuyerpay", 1), status("waitsellersend", 60), status("cancel", 90)], None),
        ([read("waitselleract", 1)], None),
        ([read("waitbuyerpay", 1, paid=True)], Proof.DONE),
        ([read("waitsellersend", 1)], Proof.DONE),
        ([read("success", 1), status("cancel", 60)], Proof.DONE),
        ([read("cancel", 1, paid=True)], Proof.DONE),
        ([read("waitselleract", 1, paid=True)], Proof.DONE),
        ([read("cancel", 1)], Proof.OVER),
        ([read("waitbuyerpay", 1), read("cancel", 60)], Proof.OVER),
    ],
)
def test_only_a_snapshot_proves_anything_about_a_payment(history: list[Fact], proof: Proof | None) -> None:
    proven = {one.effect: one.proof for one in settlements(told(*history))}
    assert proven.get(Effect.PAY) is proof


def test_paid_once_is_paid_whatever_the_word_says_later() -> None:
    paid_at = Lifecycle("waitbuyerpay", paid_at=1)
    view = msgspec.structs.replace(PAYABLE, lifecycle=paid_at)
    assert decide(view).verdict is Verdict.DONE
