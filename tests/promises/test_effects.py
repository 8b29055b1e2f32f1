"""What took place twice, too early or behind our back is named; what is in order is not."""

from __future__ import annotations

import pytest

from tests.promises.desk import ORDER, Desk, refund
from worker.domain.policy import Effect
from worker.promises import effects
from worker.promises.books import read_books
from worker.promises.effects import Knowable

EXACT = Knowable()


def test_a_life_in_order_breaks_nothing() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, 5_000)
    desk.paid()
    desk.called(desk.wanted(Effect.UPDATE_DOMESTIC_LOGISTICS), 200)
    desk.told()
    desk.called(desk.wanted(Effect.CONFIRM_RECEIPT), 300)
    desk.confirmed("1", "2", at=310)
    desk.called(desk.wanted(Effect.BOOK_INTERNATIONAL, reference="F1"), 400, 3_000, render="R1")
    desk.booked("R1", at=410)
    desk.order("success")
    assert list(effects.twice(desk.books)) == []
    assert list(effects.behind_our_back(desk.ledger, desk.books)) == []
    assert list(effects.booked_twice(desk.ledger, desk.books)) == []
    assert list(effects.told_otherwise(desk.ledger, desk.books)) == []
    assert list(effects.too_early(desk.ledger, desk.books, EXACT)) == []


def test_what_took_place_twice() -> None:
    desk = Desk()
    desk.paid(call_no=2)
    desk.confirmed("1")
    desk.confirmed("1", "2")
    desk.cancelled()
    desk.cancelled()
    desk.booked("R1")
    desk.booked("R1")
    assert list(effects.twice(desk.books)) == [
        f"I1: order {ORDER} was paid 2 times",
        "I1: the receipt of line 1 was confirmed 2 times",
        f"I1: order {ORDER} was cancelled 2 times",
        "I1: preview R1 was booked 2 times",
        f"I1: order {ORDER} was both paid and cancelled by us",
        f"I1: order {ORDER} was both paid and cancelled by us",
    ]


def test_a_person_who_pays_and_our_cancellation_do_not_count_as_both_ours() -> None:
    desk = Desk()
    desk.paid(how="page")
    desk.cancelled()
    assert list(effects.twice(desk.books)) == []


def test_each_call_is_written_down_before() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.PAY), 100, 5_000, outcome="not_sent")
    desk.paid()
    desk.told()
    assert list(effects.behind_our_back(desk.ledger, desk.books)) == [
        f"I1: order {ORDER} was paid 1 times by us, the ledger has 0 calls",
        f"I1: order {ORDER} was told to the warehouse 1 times by us, the ledger has 0 calls",
    ]


def test_two_previews_of_one_set_of_parcels_are_one_booking_too_many() -> None:
    desk = Desk()
    booking = desk.wanted(Effect.BOOK_INTERNATIONAL)
    for render in ("R1", "R2"):
        desk.called(booking, 100, 3_000, render=render)
        desk.booked(render)
    assert list(effects.booked_twice(desk.ledger, desk.books)) == [
        f"I1: the parcels of order {ORDER} were booked 2 times"
    ]


def test_a_booking_costs_what_was_decided_on() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.BOOK_INTERNATIONAL), 100, 3_000, render="R1")
    desk.booked("R1", 3_001)
    assert list(effects.booked_twice(desk.ledger, desk.books)) == [
        f"I1: the freight of order {ORDER} cost 3001 fen, 3000 were decided on"
    ]


def test_our_ledger_and_the_books_tell_the_same() -> None:
    desk = Desk()
    desk.wanted(Effect.PAY, "succeeded")
    desk.wanted(Effect.CANCEL, "succeeded")
    desk.wanted(Effect.BOOK_INTERNATIONAL, "succeeded", reference="F9")
    desk.called(3, 100, 3_000, render="R1")
    desk.booked("R1", number="F1")
    desk.called(desk.wanted(Effect.CONFIRM_RECEIPT, "rejected"))
    desk.confirmed("1")
    assert list(effects.told_otherwise(desk.ledger, desk.books)) == [
        f"I1: order {ORDER} is recorded as paid, the marketplace's books know nothing of it",
        f"I1: order {ORDER} is recorded as cancelled, the marketplace's books know nothing of it",
        f"I1: order {ORDER} is recorded as booked, the marketplace's books know nothing of it",
        f"I1: order {ORDER} is recorded as not confirmed, the marketplace's books say it was",
    ]


def test_a_notice_of_parcels_that_changed_says_nothing_about_the_next() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.UPDATE_DOMESTIC_LOGISTICS, "rejected", purpose="old"))
    desk.called(desk.wanted(Effect.UPDATE_DOMESTIC_LOGISTICS, "succeeded", purpose="new"))
    desk.told()
    assert list(effects.told_otherwise(desk.ledger, desk.books)) == []


@pytest.mark.parametrize(
    ("state", "by", "is_broken"),
    [("cancelled", "configuration", False), ("cancelled", "reads", True), ("rejected", "configuration", True)],
)
def test_a_notice_that_was_called_off_before_its_repetition_is_left_open(
    state: str, by: str, *, is_broken: bool
) -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.UPDATE_DOMESTIC_LOGISTICS, state, cleared={"by": by}), outcome="unclear")
    desk.told()
    told = f"I1: order {ORDER} is recorded as not told to the warehouse, the marketplace's books say it was"
    assert list(effects.told_otherwise(desk.ledger, desk.books)) == [told] * is_broken


def test_a_receipt_before_the_goods_were_signed_for() -> None:
    desk = Desk()
    desk.called(desk.wanted(Effect.CONFIRM_RECEIPT))
    desk.confirmed("1", signed=False)
    assert list(effects.too_early(desk.ledger, desk.books, EXACT)) == [
        f"I1: the receipt of order {ORDER} was confirmed before the goods were signed for"
    ]


def test_money_that_is_asked_back_is_neither_released_nor_sent_abroad() -> None:
    desk = Desk()
    desk.order(refunds=[refund(80)])
    desk.called(desk.wanted(Effect.CONFIRM_RECEIPT), 100, asked_at=90)
    desk.confirmed("1", at=110)
    desk.called(desk.wanted(Effect.BOOK_INTERNATIONAL), 200, 3_000, render="R1", asked_at=190)
    desk.booked("R1", at=210)
    assert len(list(effects.too_early(desk.ledger, desk.books, EXACT))) == 2


def test_a_refund_that_no_read_could_show_is_nobodys_fault() -> None:
    desk = Desk()
    desk.order(refunds=[refund(95), refund(10, settled_at=20)])
    desk.called(desk.wanted(Effect.CONFIRM_RECEIPT), 100, asked_at=90)
    desk.confirmed("1", at=110)
    assert list(effects.too_early(desk.ledger, desk.books, EXACT)) == []
    desk.order(refunds=[refund(80)])
    showed_the_past = Knowable(lambda _order_id, asked_at: asked_at - 20)
    assert list(effects.too_early(desk.ledger, desk.books, showed_the_past)) == []


def test_books_that_came_over_http_are_the_same_books() -> None:
    desk = Desk()
    desk.paid()
    desk.booked("R1")
    shown = {
        "payments": [{"order_id": ORDER, "amount_fen": 5_000, "at": 110, "how": "agreement", "call_no": 1}],
        "receipts": [],
        "cancels": [],
        "warehouse-notices": [],
        "bookings": [
            {
                "number": "F1",
                "render_id": "R1",
                "order_id": ORDER,
                "amount_fen": 3_000,
                "currency": "CNY",
                "service_id": "SEA",
                "at": 110,
                "order_call_no": 1,
                "content": {},
            }
        ],
    }
    assert read_books(shown, []) == desk.books
