"""What a person is told of an order: conditions that hold now, one cause each."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, price, read, refund, status, told
from tests.domain.strategies import facts
from worker.domain.alerts import CONDITION_KINDS, AlertKind, correction_alert, order_alerts
from worker.domain.facts import Fact
from worker.domain.policy import Policy
from worker.domain.reducer import Order

POLICY = Policy(auto_pay=True, auto_pay_limit=50_000)


def kinds(*history: Fact) -> list[AlertKind]:
    return [alert.kind for alert in order_alerts(told(*history), POLICY)]


def test_a_calm_order_alerts_nobody() -> None:
    assert kinds(read("waitbuyerpay", 1)) == []


def test_a_price_that_rose_waits_for_a_person_only_once_confirmed() -> None:
    assert kinds(read("waitbuyerpay", 1), price(12_000, 60)) == []
    assert kinds(read("waitbuyerpay", 1), read("waitbuyerpay", 60, total=12_000)) == [AlertKind.PRICE_BEYOND_TOLERANCE]
    assert (
        kinds(read("waitbuyerpay", 1), read("waitbuyerpay", 60, total=12_000), read("cancel", 90, total=12_000)) == []
    )


def test_a_refund_alerts_from_the_first_word_of_it_until_it_is_over() -> None:
    opened = [read("waitsellersend", 1), refund("TQ1", "waitselleragree", 60)]
    assert kinds(*opened) == [AlertKind.REFUND_OPENED]
    assert kinds(*opened, refund("TQ1", "refundclose", 90)) == []


def test_an_unknown_word_alerts_until_a_snapshot_says_otherwise() -> None:
    story = [read("waitsellersend", 1), status("waitselleract", 60)]
    assert kinds(*story) == [AlertKind.STRANGE_WORD]
    assert kinds(*story, read("waitbuyerreceive", 90)) == []
    assert kinds(read("waitselleract", 1)) == [AlertKind.STRANGE_WORD]


def test_causes_stay_short_printable_and_apart_whatever_a_sender_writes() -> None:
    words = ["x" * 5_000 + "1", "x" * 5_000 + "2", "a\x00b", "ab", "a\nb"]
    order = told(*(status(word, 1) for word in words), *(refund(word, "30", 1) for word in words))
    causes = {alert.cause for alert in order_alerts(order, POLICY)}
    assert len(causes) == 2 * len(words)
    assert max(len(cause) for cause in causes) < 200
    assert all(cause.isprintable() for cause in causes)


def test_a_correction_names_both_rungs() -> None:
    alert = correction_alert(KEY, "shipped", "awaiting_shipment")
    assert alert.details == {"before": "shipped", "after": "awaiting_shipment"}
    assert str(KEY) in alert.title


@settings(max_examples=100, deadline=None)
@given(st.lists(facts, max_size=8))
def test_conditions_have_one_alert_per_cause_and_follow_from_the_order_alone(history: list[Fact]) -> None:
    order = told(*history)
    alerts = list(order_alerts(order, POLICY))
    assert len({alert.cause for alert in alerts}) == len(alerts)
    assert {alert.kind for alert in alerts} <= CONDITION_KINDS
    assert alerts == list(order_alerts(Order.of(KEY, order.evidence), POLICY))
