"""One ladder for every marketplace: which words stand for which rung."""

from __future__ import annotations

from itertools import pairwise

import pytest

from worker.domain.identity import Platform
from worker.domain.status import OrderStatus, RefundStatus, implied_status, map_refund_word, map_word

P1688, TAOBAO = Platform.ALIBABA_1688, Platform.TAOBAO


@pytest.mark.parametrize("word", ["", "other", "WAITBUYERPAY", "waitbuyerpay ", "waitselleract", "?success", "unknown"])
@pytest.mark.parametrize("platform", list(Platform))
def test_a_word_in_no_table_is_unknown_not_guessed(platform: Platform, word: str) -> None:
    assert map_word(platform, word) is OrderStatus.UNKNOWN


def test_one_marketplace_s_words_mean_nothing_on_the_other() -> None:
    assert map_word(TAOBAO, "waitbuyerpay") is OrderStatus.UNKNOWN
    assert map_word(P1688, "WAIT_BUYER_PAY") is OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    ("platform", "words"),
    [
        (P1688, ["waitbuyerpay", "waitsellersend", "waitbuyerreceive", "confirm_goods", "success", "cancel"]),
        (P1688, ["WAITING_FOR_PAYMENT", "WAITING_FOR_SENT", "CANCEL"]),
        (TAOBAO, ["BULIDING", "WAIT_BUYER_PAY", "WAIT_FINANCE_PAY", "WAIT_SELLER_SEND_GOODS", "SELLER_CONSIGNED_PART"]),
        (TAOBAO, ["SELLER_CONSIGNED_PART", "WAIT_BUYER_CONFIRM_GOODS", "TRADE_FINISHED", "TRADE_CLOSED"]),
    ],
)
def test_the_words_of_a_marketplace_climb_the_ladder(platform: Platform, words: list[str]) -> None:
    ranks = [map_word(platform, word).rank for word in words]
    assert OrderStatus.UNKNOWN.rank not in ranks
    assert all(lower < higher for lower, higher in pairwise(ranks))


def test_unknown_is_the_lowest_rung_and_closed_the_highest() -> None:
    ranks = {status: status.rank for status in OrderStatus}
    assert min(ranks, key=lambda status: ranks[status]) is OrderStatus.UNKNOWN
    assert max(ranks, key=lambda status: ranks[status]) is OrderStatus.CLOSED
    assert len(set(ranks.values())) == len(OrderStatus)


def test_which_rungs_are_final_and_which_are_paid() -> None:
    assert [status.value for status in OrderStatus if status.is_final] == ["completed", "closed"]
    assert [status.value for status in OrderStatus if status.is_paid] == [
        "awaiting_shipment",
        "partly_shipped",
        "shipped",
        "receipt_confirmed",
        "completed",
    ]


@pytest.mark.parametrize("prefix", ["", "ORDER_BUYER_VIEW_", "1688_ORDER_BUYER_VIEW_", "TAOBAO_ORDER_BUYER_VIEW_"])
def test_events_say_more_than_their_word_whatever_their_prefix(prefix: str) -> None:
    assert implied_status(P1688, "waitsellersend", prefix + "PART_PART_SENDGOODS") is OrderStatus.PARTLY_SHIPPED
    assert implied_status(P1688, None, prefix + "PART_PART_SENDGOODS") is OrderStatus.PARTLY_SHIPPED
    assert implied_status(P1688, "confirm_goods", prefix + "ORDER_COMFIRM_RECEIVEGOODS") is None


def test_a_callback_without_a_word_claims_nothing() -> None:
    assert implied_status(P1688, None, "ORDER_BUYER_VIEW_MODIFY_MEMO") is None
    assert implied_status(P1688, "no such word", None) is OrderStatus.UNKNOWN


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["waitselleragree", "WAIT_SELLER_AGREE", "10"], RefundStatus.AWAITING_SELLER),
        (["waitbuyermodify", "WAIT_BUYER_MODIFY", "-10"], RefundStatus.AWAITING_BUYER),
        (["waitbuyersend", "WAIT_BUYER_SEND", "20"], RefundStatus.AWAITING_RETURN),
        (["waitsellerreceive", "WAIT_SELLER_RECEIVE", "30"], RefundStatus.RETURNING),
        (["refundsuccess", "REFUND_SUCCESS", "100"], RefundStatus.SUCCEEDED),
        (["refundclose", "REFUND_CLOSED", "-20"], RefundStatus.CLOSED),
        (["", None, "1", "no such word"], RefundStatus.UNKNOWN),
    ],
)
def test_refund_words_in_all_their_spellings(words: list[str | None], expected: RefundStatus) -> None:
    assert {map_refund_word(word) for word in words} == {expected}


def test_a_refund_of_unknown_state_counts_as_open() -> None:
    assert [status.value for status in RefundStatus if status.is_final] == ["succeeded", "closed"]
