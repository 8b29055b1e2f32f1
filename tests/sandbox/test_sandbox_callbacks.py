"""Callbacks: time-out, retries, shapes, and how the platform lets a receiver down."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from tests.sandbox.stage import DAY_S, NOON_MS, Stage, exact
from worker.sandbox.courier import Push
from worker.sandbox.outbox import Tally

HALF_HOUR_MS = 1_800_000


def attempts(stage: Stage) -> dict[tuple[str, str, bytes], list[tuple[int, Push]]]:
    """Attempts of each message, in the order in which they were made."""
    found: dict[tuple[str, str, bytes], list[tuple[int, Push]]] = defaultdict(list)
    for at, push in stage.pushed:
        found[push.order_id, push.topic, push.body].append((at, push))
    return found


def body_of(push: Push) -> dict[str, Any]:
    body: Any = exact.decode(push.rendered())["messageBody"]
    inner: dict[str, Any] = exact.decode(body) if isinstance(body, str) else body
    return inner


@pytest.mark.parametrize("answer", [None, 500, 404, 302, 204])
def test_whatever_is_not_a_200_is_pushed_again_after_half_an_hour_five_times_and_then_given_up(
    answer: int | None,
) -> None:
    stage = Stage(lambda _push: answer, orders=1)
    stage.begin()
    stage.advance(DAY_S)
    for tries in attempts(stage).values():
        times = [at for at, _ in tries]
        assert [push.attempt for _, push in tries] == [1, 2, 3, 4, 5, 6]
        assert {later - earlier for earlier, later in pairwise(times)} == {HALF_HOUR_MS}
    tally = stage.sandbox.outbox.tally
    assert tally.given_up == tally.made
    assert (tally.delivered, tally.retries, tally.sent) == (0, 5 * tally.made, 6 * tally.made)


def test_a_200_ends_the_retries() -> None:
    stage = Stage(lambda push: 200 if push.attempt == 3 else 503, orders=1)
    stage.begin()
    stage.advance(DAY_S)
    assert all(len(tries) == 3 for tries in attempts(stage).values())
    assert stage.sandbox.outbox.tally.delivered == stage.sandbox.outbox.tally.made


def test_attempts_are_counted_by_the_least_bound_that_the_answer_kept() -> None:
    tally = Tally()
    for status, took_ms in ((200, 0), (200, 2), (503, 3), (200, 1_000), (200, 1_001), (None, 5)):
        tally.note_answer(status, took_ms)
    assert tally.answers_ms == {"2": 2, "5": 1, "1000": 1, "none": 2}


def test_the_half_hour_shrinks_with_the_speed() -> None:
    stage = Stage(lambda _push: None, orders=1, speed=18_000.0)
    stage.begin()
    stage.advance(0.5)
    assert [at - NOON_MS for at, push in stage.pushed if push.topic.endswith("BUYER_MAKE")] == [
        0,
        100,
        200,
        300,
        400,
        500,
    ]


def test_without_a_url_nothing_is_sent_and_the_twin_says_so() -> None:
    stage = Stage(orders=3, callback_url=None)
    stage.play()
    assert stage.pushed == []
    assert stage.sandbox.stats().callbacks_unaddressed == stage.sandbox.stats().callbacks_made > 0


def test_lost_callbacks_are_never_tried() -> None:
    stage = Stage(orders=10, lost_callbacks=1.0)
    stage.play()
    stats = stage.sandbox.stats()
    assert (stage.pushed, stats.callbacks_sent) == ([], 0)
    assert stats.callbacks_lost == stats.callbacks_made > 0


def test_every_message_has_the_documented_envelope_in_all_its_spellings() -> None:
    stage = Stage(orders=60)
    stage.play()
    shapes: Counter[tuple[str, object]] = Counter()
    for at, push in stage.pushed:
        sent = exact.decode(push.rendered())
        assert set(sent) == {"messageType", "messageBody", "messagePlatform", "timestamp"}
        assert (sent["messagePlatform"], sent["timestamp"]) == (1, str(at))
        shapes["body", type(sent["messageBody"])] += 1
        shapes["prefixed", sent["messageType"].startswith("1688_")] += 1
        body = body_of(push)
        if "orderId" in body:
            assert str(body["orderId"]) == push.order_id
            shapes["id", type(body["orderId"])] += 1
    assert len(shapes) == 6, "object and text, prefixed and bare, number and text all occur"


def test_the_topics_carry_the_words_of_the_upstream_table() -> None:
    stage = Stage(orders=150)
    stage.play()
    words: dict[str, set[str]] = defaultdict(set)
    for _, push in stage.pushed:
        words[push.topic.removeprefix("ORDER_BUYER_VIEW_")].add(body_of(push).get("currentStatus", ""))
    assert words == {
        "BUYER_MAKE": {"waitbuyerpay"},
        "ORDER_PRICE_MODIFY": {""},
        "ORDER_PAY": {"waitsellersend"},
        "PART_PART_SENDGOODS": {"waitsellersend"},
        "ANNOUNCE_SENDGOODS": {"waitbuyerreceive"},
        "ORDER_COMFIRM_RECEIVEGOODS": {"confirm_goods_and_has_subsidy"},
        "ORDER_SUCCESS": {"success"},
        "ORDER_BUYER_CLOSE": {"cancel"},
        "ORDER_SELLER_CLOSE": {"cancel"},
        "ORDER_BOPS_CLOSE": {"cancel"},
        "ORDER_BUYER_REFUND_IN_SALES": {"waitselleragree", "refundsuccess", "refundclose"},
        "LOGISTICS_MAIL_NO_CHANGE": {""},
    }


def test_a_price_change_carries_the_whole_order_and_a_waybill_change_names_the_logistics_id() -> None:
    stage = Stage(orders=100)
    stage.play()
    parcels = {parcel.ship.logistics_code for order in stage.orders for parcel in order.parcels}
    for _, push in stage.pushed:
        body = body_of(push)
        if push.topic.endswith("PRICE_MODIFY"):
            assert body["baseInfo"]["idOfStr"] == push.order_id
            assert body["productItems"]
        if push.topic == "LOGISTICS_MAIL_NO_CHANGE":
            model = body["MailNoChangeModel"]
            assert model["logisticsId"] in parcels
            assert model["oldMailNo"] != model["newMailNo"]


def test_hostile_retries_carry_now_the_old_time_now_a_new_one() -> None:
    stage = Stage(lambda push: 200 if push.attempt == 2 else None, orders=40, faults="hostile")
    stage.play()
    second = [(at, push) for at, push in stage.pushed if push.attempt == 2]
    restamped = [push.stamped_ms == at for at, push in second]
    assert True in restamped
    assert False in restamped


def test_hostile_messages_come_doubled_and_out_of_order() -> None:
    stage = Stage(orders=60, faults="hostile")
    stage.play()
    stats = stage.sandbox.stats()
    assert stats.duplicates > 0.2 * stats.callbacks_made
    assert 0.08 < stats.callbacks_lost / stats.callbacks_made < 0.22
    stamps = [push.stamped_ms for _, push in stage.pushed]
    assert stamps != sorted(stamps)


def test_the_news_is_frozen_when_it_happened() -> None:
    stage = Stage(lambda push: None if push.attempt < 6 else 200, orders=30)
    stage.play()
    for tries in attempts(stage).values():
        assert len({push.rendered() for _, push in tries}) == 1


def test_an_outbox_without_a_sender_says_so() -> None:
    stage = Stage(orders=1)
    stage.sandbox.outbox.hand_over = None
    with pytest.raises(RuntimeError, match="no sender"):
        stage.begin()


def test_bodies_are_json_that_any_reader_takes() -> None:
    stage = Stage(orders=20)
    stage.play()
    for _, push in stage.pushed:
        assert isinstance(msgspec.json.decode(push.rendered()), dict)
