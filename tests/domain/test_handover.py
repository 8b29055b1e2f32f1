"""From the parcels to the way abroad: when it is wanted, and what is judged on the fresh read."""

from itertools import permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.examples import NOON, read, refund, status, told
from worker.domain.alerts import AlertKind, order_alerts
from worker.domain.clock import DAY
from worker.domain.facts import BookingSeen, Fact, InspectionSeen, Line, Parcel, RefundSeen, Source
from worker.domain.handover import (
    booking_purpose,
    decide_booking,
    decide_cancel,
    decide_freight,
    decide_logistics,
    decide_receipt,
    logistics_purpose,
    signed_for,
)
from worker.domain.plans import Freight, StandingPlan
from worker.domain.policy import Effect, Policy, Verdict
from worker.domain.reducer import Order
from worker.domain.wanted import wanted_follow_ups

POLICY = Policy(
    notify_warehouse=True,
    confirm_receipt=True,
    book_international=True,
    freight_limit=5_000,
    has_freight_defaults=True,
)
LINES = (Line("a"), Line("b"))
SIGNED = (
    Parcel("1", waybill="SF0001", line_ids=("a",), status_word="SIGN"),
    Parcel("2", waybill="SF0002", line_ids=("b",), status_word="SIGN"),
)
ON_THE_WAY = (SIGNED[0], Parcel("2", waybill="SF0002", line_ids=("b",), status_word="alreadysend"))


def shipped(parcels: tuple[Parcel, ...] = SIGNED, **more: object) -> Fact:
    return read("waitbuyerreceive", 10, paid=True, items=LINES, parcels=parcels, **more)  # type: ignore[arg-type]


def wanted(order: Order, policy: Policy = POLICY, plan: StandingPlan | None = None) -> set[Effect]:
    return {one.effect for one in wanted_follow_ups(order, policy, plan or StandingPlan())}


def test_what_was_signed_for_is_confirmed_after_the_pause_and_the_warehouse_is_told() -> None:
    order = told(shipped(modified=5))
    assert wanted(order) == {Effect.UPDATE_DOMESTIC_LOGISTICS, Effect.CONFIRM_RECEIPT}
    (receipt,) = [one for one in wanted_follow_ups(order, POLICY) if one.effect is Effect.CONFIRM_RECEIPT]
    assert receipt.not_before == NOON + 5_000 + DAY


@pytest.mark.parametrize(
    "fact",
    [
        shipped(ON_THE_WAY),
        shipped(refunds=(RefundSeen("r1", "waitselleragree"),)),
        read("waitbuyerreceive", 10, paid=False, items=LINES, parcels=SIGNED),
        read("waitsellersend", 10, paid=True, items=LINES, parcels=SIGNED),
        read("cancel", 10, paid=True, items=LINES, parcels=SIGNED),
        shipped(()),
    ],
)
def test_a_receipt_is_not_confirmed_in_any_other_case(fact: Fact) -> None:
    order = told(fact)
    assert Effect.CONFIRM_RECEIPT not in wanted(order)
    assert decide_receipt(order.view, POLICY, now_unconfirmed=False).verdict is not Verdict.PROCEED


def test_a_refund_that_was_only_heard_of_holds_the_receipt_back() -> None:
    order = told(shipped(), refund("r1", "waitselleragree", 60))
    assert wanted(order) == {Effect.REFRESH}
    assert decide_receipt(order.view, POLICY, now_unconfirmed=True).verdict is Verdict.WAIT


INSPECTING = msgspec.structs.replace(POLICY, inspection_confirms=True)


def inspected(waybill: str, second: int, *, passed: bool) -> Fact:
    key = shipped().key
    return Fact(key, Source.CALLBACK, InspectionSeen(waybill, passed), NOON + second * 1_000)


def test_what_the_warehouse_inspected_counts_as_signed_for_where_the_account_says_so() -> None:
    order = told(shipped(ON_THE_WAY), inspected("SF0002", 20, passed=True))
    assert Effect.CONFIRM_RECEIPT not in wanted(order)
    assert decide_receipt(order.view, POLICY, now_unconfirmed=False).verdict is Verdict.WAIT
    assert Effect.CONFIRM_RECEIPT in wanted(order, INSPECTING)
    assert decide_receipt(order.view, INSPECTING, now_unconfirmed=False).verdict is Verdict.PROCEED


def test_an_inspection_of_another_parcel_confirms_nothing() -> None:
    order = told(shipped(ON_THE_WAY), inspected("SF0009", 20, passed=True))
    assert Effect.CONFIRM_RECEIPT not in wanted(order, INSPECTING)


def test_what_the_warehouse_objects_to_is_not_confirmed_until_it_says_otherwise() -> None:
    objected = told(shipped(), inspected("SF0001", 20, passed=False))
    assert Effect.CONFIRM_RECEIPT not in wanted(objected, INSPECTING)
    assert decide_receipt(objected.view, INSPECTING, now_unconfirmed=False).verdict is Verdict.WAIT
    assert [alert.kind for alert in order_alerts(objected, INSPECTING)] == [AlertKind.INSPECTION_FAILED]
    again = told(shipped(), inspected("SF0001", 20, passed=False), inspected("SF0001", 30, passed=True))
    assert Effect.CONFIRM_RECEIPT in wanted(again, INSPECTING)
    assert list(order_alerts(again, INSPECTING)) == []


def test_inspections_end_the_same_in_whatever_order_they_arrive() -> None:
    facts = (shipped(), inspected("SF0001", 30, passed=True), inspected("SF0001", 20, passed=False))
    assert len({told(*arrived).view for arrived in permutations(facts)}) == 1


def test_an_inspection_releases_no_money_while_a_refund_is_open() -> None:
    order = told(
        shipped(ON_THE_WAY, refunds=(RefundSeen("r1", "waitselleragree"),)), inspected("SF0002", 20, passed=True)
    )
    assert Effect.CONFIRM_RECEIPT not in wanted(order, INSPECTING)


def test_a_line_that_was_refunded_or_closed_needs_no_signature() -> None:
    closed = (Line("a"), Line("b", status_word="cancel"))
    order = told(read("waitbuyerreceive", 10, paid=True, items=closed, parcels=ON_THE_WAY))
    assert signed_for(order.view)


def test_nothing_is_signed_for_without_lines_and_parcels() -> None:
    assert not signed_for(told(read("waitbuyerreceive", 10, paid=True)).view)


def test_a_line_in_two_parcels_is_signed_for_with_the_last() -> None:
    both = (SIGNED[0], Parcel("2", waybill="SF0002", line_ids=("a", "b"), status_word="alreadysend"))
    assert not signed_for(told(shipped(both)).view)


def test_the_way_abroad_is_booked_once_the_receipt_is_confirmed_and_not_twice() -> None:
    fact = read("success", 10, paid=True, items=LINES, parcels=SIGNED)
    order = told(fact)
    assert wanted(order) == {Effect.UPDATE_DOMESTIC_LOGISTICS, Effect.BOOK_INTERNATIONAL}
    purpose = booking_purpose(order.view)
    assert decide_booking(order.view, purpose, now_unconfirmed=False).verdict is Verdict.PROCEED
    assert decide_booking(order.view, "other parcels", now_unconfirmed=False).verdict is Verdict.NOT_WANTED
    booked = told(fact, Fact(order.key, Source.RESPONSE, BookingSeen("FF1"), NOON + 20_000))
    assert Effect.BOOK_INTERNATIONAL not in wanted(booked)
    assert decide_booking(booked.view, purpose, now_unconfirmed=False).verdict in (Verdict.DONE, Verdict.WAIT)


def test_an_unpaid_order_is_cancelled_when_its_plan_says_so_and_then_not_paid() -> None:
    plan = StandingPlan(cancel_reason="bought elsewhere", version=1)
    paying = Policy(auto_pay=True, auto_pay_limit=100_000)
    order = told(read("waitbuyerpay", 10))
    assert wanted(order, paying, plan) == {Effect.CANCEL}
    assert wanted(order, paying) == {Effect.PAY}
    assert decide_cancel(order.view, plan, now_unconfirmed=False).verdict is Verdict.PROCEED
    assert decide_cancel(order.view, plan, now_unconfirmed=True).verdict is Verdict.WAIT
    assert decide_cancel(order.view, StandingPlan(), now_unconfirmed=False).verdict is Verdict.NOT_WANTED
    for paid in (read("waitsellersend", 10, paid=True), read("waitbuyerpay", 10, paid=True)):
        assert decide_cancel(told(paid).view, plan, now_unconfirmed=False).verdict is Verdict.NOT_WANTED
    assert decide_cancel(told(read("cancel", 10)).view, plan, now_unconfirmed=False).verdict is Verdict.DONE


@pytest.mark.parametrize(
    ("amount", "currency", "plan", "approved", "verdict"),
    [
        (5_000, "CNY", None, None, Verdict.PROCEED),
        (5_001, "CNY", None, None, Verdict.HOLD),
        (5_001, "CNY", None, 5_001, Verdict.PROCEED),
        (5_002, "CNY", None, 5_001, Verdict.HOLD),
        (100, "USD", None, None, Verdict.HOLD),
        (0, "CNY", None, 10, Verdict.HOLD),
        (-1, "CNY", None, 10, Verdict.HOLD),
        (2_000, "CNY", Freight("s", "c", "k", max_price_minor=1_999), None, Verdict.HOLD),
        (5_001, "CNY", Freight("s", "c", "k", max_price_minor=9_999), None, Verdict.HOLD),
        (100, "CNY", Freight("s", "c", "k", max_price_minor=1_999, currency="USD"), None, Verdict.HOLD),
    ],
)
def test_the_freight_has_a_limit_that_no_plan_widens(
    amount: int, currency: str, plan: Freight | None, approved: int | None, verdict: Verdict
) -> None:
    standing = StandingPlan(freight=plan, version=1)
    assert decide_freight(amount, currency, POLICY, standing, approved).verdict is verdict


@given(
    st.lists(
        st.builds(Parcel, st.text("123", min_size=1, max_size=2), waybill=st.sampled_from([None, "SF0001", "SF0002"])),
        max_size=4,
        unique_by=lambda parcel: parcel.parcel_id,
    ),
    st.randoms(use_true_random=False),
)
def test_the_purpose_of_a_notice_follows_from_what_the_warehouse_has_to_know_alone(
    parcels: list[Parcel], rng: object
) -> None:
    shuffled = list(parcels)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = (told(shipped(tuple(some))).view for some in (parcels, shuffled))
    assert logistics_purpose(one) == logistics_purpose(other)
    assert (logistics_purpose(one) is None) == (not any(parcel.waybill for parcel in parcels))


def test_a_notice_about_parcels_that_changed_is_not_sent() -> None:
    view = told(shipped()).view
    purpose = logistics_purpose(view) or ""
    assert decide_logistics(view, purpose).verdict is Verdict.PROCEED
    assert decide_logistics(view, f"{purpose}#told before").verdict is Verdict.PROCEED
    assert decide_logistics(view, "before").verdict is Verdict.NOT_WANTED
    assert decide_logistics(told(shipped(), status("?", 60)).view, purpose).verdict is Verdict.WAIT
