"""The judge keeps silent about a whole world and names each promise that a broken one does not keep."""

import json
from collections.abc import Callable

import msgspec
import pytest

from proof.chaos.evidence import Evidence
from proof.chaos.judge import ANSWERED_WITHIN_MS, Finding, WrongClock, as_of_by, judge
from proof.rig.front_door import Passed
from tests.promises.desk import ACCOUNT, ORDER, POLICIES, Desk, refund
from worker.demo.compare import Comparison, Difference
from worker.domain.clock import HOUR
from worker.domain.policy import Effect

KEY = f"{ACCOUNT}/1688/{ORDER}"
NOW = 1_700_000_000_000
Break = Callable[[Evidence], None]


def change(sequence: int, what: str = "price_changed", after: str | None = None) -> tuple[str, bytes]:
    return KEY, json.dumps({"sequence": sequence, "change": what, "after": after}).encode()


def callback(order_id: str = ORDER, stamp: int = 17) -> Passed:
    body = msgspec.json.encode({"timestamp": stamp, "messageBody": {"orderId": order_id}}).decode()
    return Passed(at=NOW, status=200, worker=2, body=body)


def whole_world() -> Evidence:
    """One order, paid once as decided, published in three changes."""
    desk = Desk()
    paying = desk.wanted(Effect.PAY)
    desk.called(paying, at=NOW, amount=5_000)
    desk.paid(5_000, at=NOW + 10)
    desk.order("waitsellersend")
    return Evidence(
        ledger=desk.ledger,
        books=desk.books,
        prices={ORDER: [(0, 5_000)]},
        comparison=Comparison(orders=1, converged=1),
        changes=[
            change(1, "status_changed", "awaiting_payment"),
            change(2),
            change(2),
            change(3, "status_changed", "awaiting_shipment"),
        ],
        made=[(KEY, 3, "awaiting_shipment")],
        accepted=[callback()],
        known={(ORDER, 17)},
        letters=[],
        mute=[],
        stuck=[],
    )


def broken_promises(evidence: Evidence) -> dict[str, list[str]]:
    findings: list[Finding] = judge(evidence, POLICIES, [])
    return {finding.promise: finding.broken for finding in findings if finding.broken}


def test_a_whole_world_keeps_every_promise() -> None:
    assert broken_promises(whole_world()) == {}
    assert [finding.promise for finding in judge(whole_world(), POLICIES, [])] == ["I1", "I2", "I3", "I4", "I5", "I6"]


def pay_again(world: Evidence) -> None:
    paid = world.books.payments[0]
    world.books = msgspec.structs.replace(
        world.books, payments=[paid, msgspec.structs.replace(paid, call_no=2, at=paid.at + 1)]
    )


def pay_behind_our_back(world: Evidence) -> None:
    world.ledger.attempts.clear()
    world.ledger.spendings.clear()


def pay_beyond_the_limit(world: Evidence) -> None:
    world.ledger.attempts[0] = msgspec.structs.replace(world.ledger.attempts[0], amount_minor=10_001)


def pay_another_price(world: Evidence) -> None:
    world.prices[ORDER] = [(0, 5_000), (NOW - HOUR, 5_500)]
    paid = world.books.payments[0]
    world.books = msgspec.structs.replace(world.books, payments=[msgspec.structs.replace(paid, amount_fen=5_500)])


def forget_a_callback(world: Evidence) -> None:
    world.known = set()


def set_something_aside(world: Evidence) -> None:
    world.letters = ["3 dead letters: unreadable"]


def differ(world: Evidence) -> None:
    world.comparison.differences = [Difference(ORDER, "status", "waitbuyerpay", "waitsellersend")]


def go_back(world: Evidence) -> None:
    world.changes = [*world.changes, change(4, "status_changed", "awaiting_payment")]
    world.made = [(KEY, 4, "awaiting_payment")]


def skip_a_change(world: Evidence) -> None:
    world.changes = [world.changes[0], world.changes[3]]


def publish_the_last_one_never(world: Evidence) -> None:
    world.made = [(KEY, 4, "awaiting_shipment")]


def leave_something(world: Evidence) -> None:
    world.stuck = ["event 7 waits in the spool"]


def wait_in_silence(world: Evidence) -> None:
    world.mute = [f"awaiting_person pay of {ORDER}"]


@pytest.mark.parametrize(
    ("breaking", "promise", "words"),
    [
        (pay_again, "I1", "was paid 2 times"),
        (pay_behind_our_back, "I1", "the ledger has 0 calls"),
        (pay_beyond_the_limit, "I1", "without enough approvals: the limit is 10000"),
        (pay_another_price, "I1", "5500 fen were taken"),
        (forget_a_callback, "I2", f"order {ORDER} stamped 17 was answered 200 by worker-2"),
        (set_something_aside, "I2", "3 dead letters: unreadable"),
        (differ, "I3", "status: 'waitbuyerpay', in truth 'waitsellersend'"),
        (go_back, "I4", "goes back to awaiting_payment without a correction"),
        (skip_a_change, "I5", "jumps from change 1 to 3"),
        (publish_the_last_one_never, "I5", "has 4 changes, its consumer saw 3"),
        (leave_something, "I6", "event 7 waits in the spool"),
        (wait_in_silence, "I6", "waits without an open alert"),
    ],
)
def test_a_broken_world_is_seen(breaking: Break, promise: str, words: str) -> None:
    world = whole_world()
    breaking(world)
    found = broken_promises(world)
    assert promise in found
    assert any(words in text for text in found[promise]), found


def test_a_receipt_during_a_refund_is_seen() -> None:
    desk = Desk()
    confirming = desk.wanted(Effect.CONFIRM_RECEIPT)
    desk.called(confirming, at=NOW)
    desk.confirmed("1", at=NOW + 10)
    desk.order("waitbuyerreceive", [refund(NOW - HOUR)])
    world = whole_world()
    world.ledger, world.books = desk.ledger, desk.books
    assert any("was open since" in text for text in broken_promises(world)["I1"])


def test_what_a_wrong_clock_says_is_held_against_the_right_time() -> None:
    """A worker whose clock is an hour ahead asks at noon and writes one o'clock."""
    as_of = as_of_by([WrongClock(NOW, NOW + 10_000, HOUR), WrongClock(NOW, NOW + 10_000, -HOUR)])
    assert as_of(ORDER, NOW + HOUR + 5_000) == NOW + 5_000 - ANSWERED_WITHIN_MS
    assert as_of(ORDER, NOW + 5_000) == NOW + 5_000 - ANSWERED_WITHIN_MS
    assert as_of(ORDER, NOW + HOUR + 15_000) == NOW + HOUR + 15_000 - ANSWERED_WITHIN_MS, "it was right again by then"
