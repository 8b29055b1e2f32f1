"""What a snapshot proves about what was sent. A hint proves nothing; in doubt nothing is proven not done."""

import pytest

from tests.domain.examples import NOON, at, price, read, status, told
from worker.domain.facts import BookingSeen, Fact, Line, Parcel, Source
from worker.domain.policy import Effect
from worker.domain.reducer import Order
from worker.domain.settlement import Proof, settlements

SIGNED = (Parcel("1", waybill="SF0001", line_ids=("a",), status_word="SIGN"),)


def proofs(order: Order) -> dict[Effect, Proof]:
    found = list(settlements(order))
    assert len({one.effect for one in found}) == len(found), "one proof for each effect"
    return {one.effect: one.proof for one in found}


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        (read("waitbuyerpay", 10), {Effect.PAY: Proof.NOT_DONE, Effect.CANCEL: Proof.NOT_DONE}),
        (read("waitbuyerpay", 10, paid=True), {Effect.PAY: Proof.DONE, Effect.CANCEL: Proof.OVER}),
        (read("waitsellersend", 10, paid=True), {Effect.PAY: Proof.DONE, Effect.CANCEL: Proof.OVER}),
        (
            read("cancel", 10),
            {
                Effect.PAY: Proof.OVER,
                Effect.CANCEL: Proof.DONE,
                Effect.CONFIRM_RECEIPT: Proof.OVER,
                Effect.BOOK_INTERNATIONAL: Proof.OVER,
            },
        ),
        (
            read("waitbuyerreceive", 10, paid=True, items=(Line("a"),), parcels=SIGNED),
            {Effect.PAY: Proof.DONE, Effect.CANCEL: Proof.OVER, Effect.CONFIRM_RECEIPT: Proof.NOT_DONE},
        ),
        (
            read("success", 10, paid=True),
            {Effect.PAY: Proof.DONE, Effect.CANCEL: Proof.OVER, Effect.CONFIRM_RECEIPT: Proof.DONE},
        ),
    ],
)
def test_what_a_read_proves(fact: Fact, expected: dict[Effect, Proof]) -> None:
    order = told(fact)
    assert proofs(order) == expected
    assert {one.asked_at for one in settlements(order)} == {at(10)}


def test_hints_alone_prove_nothing() -> None:
    assert proofs(told(status("waitsellersend", 1), status("success", 2), price(1, 3))) == {}


def test_in_doubt_nothing_is_proven_not_done() -> None:
    assert Proof.NOT_DONE not in proofs(told(read("waitbuyerpay", 10), status("waitsellersend", 60))).values()


def test_a_booking_is_proven_by_its_number_and_never_by_its_absence() -> None:
    fact = read("success", 10, paid=True, parcels=SIGNED)
    assert Effect.BOOK_INTERNATIONAL not in proofs(told(fact))
    booked = told(fact, Fact(told(fact).key, Source.RESPONSE, BookingSeen("FF1"), NOON + 20_000))
    assert proofs(booked)[Effect.BOOK_INTERNATIONAL] is Proof.DONE
