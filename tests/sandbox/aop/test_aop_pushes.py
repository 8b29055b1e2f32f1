"""Pushes in the open platform's words: the signed form, three tries, and the queue of those that failed."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from tests.sandbox.aop.caller import OpenStage, form_of, message_of
from tests.sandbox.stage import DAY_S, always
from worker.sandbox.aop.signature import SIGNATURE, signed
from worker.sandbox.faults import CallFaults, Fault

LIST, TAKE, CONFIRM = "messages.failed.list", "messages.failed.take", "messages.failed.confirm"
VIEW = "ORDER_BUYER_VIEW_"


async def listed(stage: OpenStage, **filters: Any) -> dict[str, Any]:
    page: dict[str, Any] = (await stage.call(LIST, **filters))["pushMessagePage"]
    return page


async def confirm(stage: OpenStage, ids: list[Any]) -> None:
    assert await stage.call(CONFIRM, msgIdList=ids) == {"isSuccess": True}


def failing(**config: Any) -> OpenStage:
    """A stage whose pushes all failed."""
    stage = OpenStage(lambda _push: 500, **{"orders": 40} | config)
    stage.begin()
    stage.advance(601)
    return stage


def test_a_push_is_a_form_signed_without_a_path() -> None:
    stage = OpenStage(orders=3)
    stage.begin()
    for _, push in stage.pushed:
        form = form_of(stage, push)
        assert set(form) == {"message", SIGNATURE}
        assert form[SIGNATURE] == signed({"message": form["message"]}, stage.sandbox.config.access_secret)


def test_all_documented_spellings_of_an_envelope_occur() -> None:
    stage = OpenStage(orders=60)
    stage.play()
    shapes: Counter[tuple[str, type]] = Counter()
    for _, push in stage.pushed:
        raw = form_of(stage, push)["message"]
        message = message_of(stage, push)
        assert set(message) == {"msgId", "gmtBorn", "type", "userInfo", "data", "extraInfo"}
        assert message["userInfo"] == stage.orders[0].life.buyer.member_id
        shapes["id", type(message["msgId"])] += 1
        shapes["data as text", str if '"data":"' in raw else dict] += 1
        if "orderId" in message["data"]:
            assert str(message["data"]["orderId"]) == push.order_id
            shapes["order", type(message["data"]["orderId"])] += 1
    assert len(shapes) == 6


def test_messages_carry_ids_and_words_but_no_amounts() -> None:
    stage = OpenStage(orders=150)
    stage.play()
    seen: dict[str, set[str]] = {}
    for _, push in stage.pushed:
        data = message_of(stage, push)["data"]
        assert "baseInfo" not in data
        word = data.get("currentStatus") or next(iter(data.values())).get("statusChanged", "")
        seen.setdefault(push.topic.removeprefix(VIEW), set()).add(word)
    assert seen["ORDER_PRICE_MODIFY"] >= {"waitbuyerpay"}
    assert seen["ORDER_COMFIRM_RECEIVEGOODS"] == {"confirm_goods_and_has_subsidy"}
    assert seen["PART_PART_SENDGOODS"] == {"waitsellersend"}
    assert seen["LOGISTICS_BUYER_VIEW_TRACE"] == {"CONSIGN", "ACCEPT", "TRANSPORT", "DELIVERING", "SIGN"}
    assert {"ORDER_BUYER_REFUND_IN_SALES", "ORDER_BOPS_CLOSE", "LOGISTICS_MAIL_NO_CHANGE"} <= seen.keys()


def test_each_node_of_a_parcel_is_told_of_once_and_no_parcel_travels_after_it_was_signed_for() -> None:
    stage = OpenStage(orders=60)
    stage.play()
    nodes: dict[str, list[str]] = {}
    for _, push in stage.pushed:
        if push.topic == "LOGISTICS_BUYER_VIEW_TRACE":
            model = message_of(stage, push)["data"]["OrderLogisticsTracingModel"]
            nodes.setdefault(model["logisticsId"], []).append(model["statusChanged"])
    assert nodes
    order = ["CONSIGN", "ACCEPT", "TRANSPORT", "DELIVERING", "SIGN"]
    for words in nodes.values():
        assert words == [word for word in order if word in words]
        assert words[0] == "CONSIGN"


def test_a_line_that_a_refund_closed_is_told_as_a_new_price() -> None:
    stage = OpenStage(orders=250)
    stage.play()
    told = {(push.order_id, message_of(stage, push)["data"].get("currentStatus")) for _, push in stage.pushed
            if push.topic.endswith("ORDER_PRICE_MODIFY")}  # fmt: skip
    assert any(word == "waitsellersend" for _, word in told), "also fires when a sub-order is closed"


@pytest.mark.parametrize("answer", [None, 500, 404, 302, 401])
async def test_a_push_that_is_not_acknowledged_is_tried_three_times_and_kept(answer: int | None) -> None:
    stage = OpenStage(lambda _push: answer, orders=1)
    stage.begin()
    stage.advance(1_000)
    tries = [(at, push) for at, push in stage.pushed if push.topic.endswith("BUYER_MAKE")]
    assert [push.attempt for _, push in tries] == [1, 2, 3]
    assert {later - earlier for (earlier, _), (later, _) in pairwise(tries)} == {300_000}
    assert len({message_of(stage, push)["msgId"] for _, push in tries}) == 1
    page = await listed(stage)
    (row,) = [row for row in page["datas"] if row["type"].endswith("BUYER_MAKE")]
    assert str(row["data"]["orderId"]) == stage.orders[0].order_id
    assert f"{row['topicGroup']}_{row['topicName']}" == row["type"]


@pytest.mark.parametrize("answer", [200, 204, 299])
async def test_any_2xx_acknowledges(answer: int) -> None:
    stage = OpenStage(lambda _push: answer, orders=3)
    stage.begin()
    stage.advance(3_600)
    assert {push.attempt for _, push in stage.pushed} == {1}
    assert (await listed(stage))["totalCount"] == 0


async def test_listing_confirms_nothing_and_confirming_shifts_the_pages() -> None:
    stage = failing()
    first = await listed(stage)
    assert (len(first["datas"]), first["totalCount"]) == (20, 40)
    assert await listed(stage) == first
    second = await listed(stage, page=2)
    await confirm(stage, [row["msgId"] for row in first["datas"]])
    shifted = await listed(stage)
    assert [row["msgId"] for row in shifted["datas"]] == [row["msgId"] for row in second["datas"]]
    assert (await listed(stage, page=2))["datas"] == []


async def test_confirming_takes_ids_as_numbers_or_texts_and_twice_without_harm() -> None:
    stage = failing()
    ids = [row["msgId"] for row in (await listed(stage, pageSize=200))["datas"]]
    assert {type(one) for one in ids} == {int, str}
    await confirm(stage, [str(one) for one in ids])
    await confirm(stage, [*ids, 1, "nobody"])
    assert (await listed(stage))["totalCount"] == 0
    kept = (await stage.client.get("/_sandbox/aop/failed-messages")).json()["messages"]
    assert len(kept) == 40
    assert all(row["confirmed_at"] for row in kept)


async def test_the_cursor_confirms_what_it_hands_out_even_if_the_answer_is_lost() -> None:
    stage = failing()
    taken = (await stage.call(TAKE, quantity=25))["pushMessageList"]
    assert len(taken) == 25
    assert (await listed(stage))["totalCount"] == 15
    stage.sandbox.faults = CallFaults(1, always(Fault.LATE_ERROR))
    assert (await stage.send(TAKE)).status_code == 504
    stage.sandbox.faults = CallFaults(1, always(Fault.NONE))
    assert (await stage.call(TAKE))["pushMessageList"] == [], "the last fifteen are gone"


async def test_a_failed_message_is_kept_for_a_week() -> None:
    stage = failing(aop={"callback_retry_after_s": 1.0})
    stage.advance(7 * DAY_S - 610)
    kept = await listed(stage, type=f"{VIEW}BUYER_MAKE")
    assert kept["totalCount"] == 40
    stage.advance(200)
    assert (await listed(stage, type=f"{VIEW}BUYER_MAKE"))["totalCount"] == 0


async def test_the_queue_is_filtered_by_type_user_and_time() -> None:
    stage = failing(orders=5)
    member = stage.orders[0].life.buyer.member_id
    assert (await listed(stage, type=f"{VIEW}BUYER_MAKE", userInfo=member))["totalCount"] == 5
    assert (await listed(stage, userInfo="b2b-1"))["totalCount"] == 0
    assert (await listed(stage, createEndTime="20260101115900000+0800"))["totalCount"] == 0
    for wrong in ({"pageSize": 19}, {"pageSize": 201}):
        assert await stage.refused(LIST, **wrong) == (400, "gw.ParamInvalid")


async def test_of_the_messages_that_never_arrive_a_share_is_in_the_queue() -> None:
    stage = OpenStage(orders=60, lost_callbacks=1.0)
    stage.play()
    stats = stage.sandbox.stats()
    assert stage.pushed == []
    failed = (await stage.client.get("/_sandbox/aop")).json()["failed_messages"]
    assert 0.4 < failed / stats.callbacks_lost < 0.6


def test_hostile_pushes_come_doubled_and_out_of_order() -> None:
    stage = OpenStage(orders=60, faults="hostile")
    stage.play()
    ids = Counter(str(message_of(stage, push)["msgId"]) for _, push in stage.pushed if push.attempt == 1)
    assert max(ids.values()) > 1
    born = [push.stamped_ms for _, push in stage.pushed]
    assert born != sorted(born)
