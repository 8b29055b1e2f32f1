"""Only a plain yes, or a plain no with a link, is definite; money is never thought of as moved or not on less."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.marketplaces.pandapon.answers import read_pay_answer
from worker.marketplaces.paylinks import PayLinks
from worker.marketplaces.port import EffectOutcome
from worker.storage.order_rows import json_text

ORDER_ID = "3300000000000000001"
URL = "https://cashier.example.com/pay?id=1"
LINKS = PayLinks(("cashier.example.com",), ("127.0.0.1:8090",))
YES: dict[str, Any] = {"orderId": ORDER_ID, "protocolPaySuccess": True, "payUrl": None, "cantPayOrderList": []}
NO: dict[str, Any] = YES | {"protocolPaySuccess": False, "payUrl": URL}


@pytest.mark.parametrize(
    "changes", [{}, {"orderId": int(ORDER_ID)}, {"orderId": None}, {"cantPayOrderList": None}, {"payUrl": URL}]
)
def test_a_plain_yes_is_paid(changes: dict[str, Any]) -> None:
    assert read_pay_answer(ORDER_ID, YES | changes, LINKS).outcome is EffectOutcome.DONE


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8090/_sandbox/pay/1"])
def test_a_plain_no_with_a_link_needs_a_person(url: str) -> None:
    answer = read_pay_answer(ORDER_ID, NO | {"payUrl": url}, LINKS)
    assert (answer.outcome, answer.pay_url) == (EffectOutcome.NEEDS_PERSON, url)


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        "paid",
        True,
        YES | {"orderId": "3300000000000000002"},
        YES | {"protocolPaySuccess": "true"},
        YES | {"protocolPaySuccess": 1},
        YES | {"protocolPaySuccess": None},
        YES | {"cantPayOrderList": [int(ORDER_ID)]},
        YES | {"cantPayOrderList": [ORDER_ID]},
        NO | {"payUrl": None},
        NO | {"payUrl": ""},
        NO | {"payUrl": {}},
        NO | {"payUrl": "javascript:alert(1)"},
        NO | {"payUrl": "cashier.example.com"},
        NO | {"payUrl": URL + "\nhttps://evil.example.com"},
        NO | {"payUrl": URL + " and more"},
        NO | {"payUrl": "https://" + "x" * 5_000},
        NO | {"payUrl": "https://evil.example.org/cashier.example.com"},
        NO | {"payUrl": "http://cashier.example.com/pay"},
        NO | {"payUrl": "http://127.0.0.1:8091/_sandbox/pay/1"},
        NO | {"cantPayOrderList": [int(ORDER_ID)]},
        {"payUrl": URL},
    ],
)
def test_anything_else_is_unclear_and_hands_out_no_link(data: Any) -> None:
    answer = read_pay_answer(ORDER_ID, data, LINKS)
    assert (answer.outcome, answer.pay_url) == (EffectOutcome.UNCLEAR, None)


anything: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**40)
    | st.decimals()
    | st.text(max_size=20)
    | st.just(ORDER_ID),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from([*YES, "other"]), anything))
def test_every_answer_has_an_outcome_and_a_detail_that_can_be_stored(data: dict[str, Any]) -> None:
    """The detail is written right after the money moved: it must not be the reason for an error."""
    answer = read_pay_answer(ORDER_ID, data, LINKS)
    assert len(json_text(answer.detail)) < 3_000
    assert answer.outcome is not EffectOutcome.DONE or data["protocolPaySuccess"] is True


def test_a_long_list_of_refused_orders_is_not_kept_whole() -> None:
    answer = read_pay_answer(ORDER_ID, YES | {"cantPayOrderList": [str(n) for n in range(1, 100_000)]}, LINKS)
    assert answer.outcome is EffectOutcome.DONE
    assert len(answer.detail["cantPayOrderList"]) == 20
