"""1688's order object: yuan and fen side by side, ids that do not fit a double, blocks that are not there."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.marketplaces.examples import ORDER_ID, order_1688
from worker.domain.facts import Amounts, Lifecycle, Line, Parcel, RefundSeen
from worker.marketplaces.trade import MAX_LINES, amounts_of, lifecycle_of, order_id_of, snapshot_of
from worker.marketplaces.values import UnreadableValueError

PAID_AT = 1_767_233_100_000
SHIPPED_AT = 1_767_315_600_000


def base(**changes: Any) -> dict[str, Any]:
    """The golden order with other values in baseInfo."""
    trade = order_1688()
    trade["baseInfo"] |= changes
    return trade


def with_lines(*items: dict[str, Any]) -> dict[str, Any]:
    return order_1688() | {"productItems": list(items)}


def refunds(trade: dict[str, Any]) -> tuple[RefundSeen, ...]:
    return snapshot_of(trade, with_parcels=True).refunds or ()


def test_the_golden_order_is_read_field_by_field() -> None:
    snapshot = snapshot_of(order_1688(), with_parcels=True)
    assert snapshot.lifecycle == Lifecycle(
        word="waitbuyerreceive",
        created_at=1_767_232_800_000,
        paid_at=PAID_AT,
        shipped_at=SHIPPED_AT,
        modified_at=SHIPPED_AT + 1_234,
        paid=True,
    )
    assert snapshot.amounts == Amounts(total=12_300, shipping=300, products=12_000, discount=-150, refunded=0)
    assert snapshot.lines == (
        Line(
            line_id="3300000000000000011",
            product_id="700000000001",
            sku_id="5000000000001",
            name="不锈钢保温杯 500ml",
            image_url="https://cbu01.example.com/a.jpg",
            quantity="2",
            price=3_500,
            amount=6_850,
            status_word="waitbuyerreceive",
            logistics_status=2,
        ),
        Line(
            line_id="3300000000000000012",
            product_id="700000000002",
            name="杯刷",
            quantity="10",
            price=None,  # 5.149 yuan has a fraction of a fen; what was really paid has none
            amount=5_150,
            status_word="waitbuyerreceive",
            logistics_status=2,
        ),
    )
    assert snapshot.parcels == (
        Parcel(
            parcel_id="56000000000001",
            waybill="SF1000000000001",
            carrier="顺丰速运",
            status_word="sign",
            line_ids=("3300000000000000011", "3300000000000000012"),
            shipped_at=SHIPPED_AT - 1_800_000,
            code="LP0000000001",
        ),
        Parcel(
            parcel_id="56000000000002",
            waybill="73100000000002",
            carrier="中通快递",
            status_word="alreadysend",
            line_ids=("3300000000000000012",),
            shipped_at=SHIPPED_AT,
            code="LP0000000002",
        ),
    )
    assert snapshot.refunds == ()


def test_the_text_id_wins_over_the_number_that_was_rounded_on_the_way() -> None:
    assert order_id_of(order_1688()) == ORDER_ID
    assert order_id_of(base(idOfStr=None, id=9_007_199_254_740_993)) == "9007199254740993"
    assert order_id_of(base(idOfStr="", id="9007199254740993")) == "9007199254740993"
    assert order_id_of(base(idOfStr=None, id=None)) is None
    assert order_id_of(base(idOfStr={}, id=Decimal("3.3e18"))) is None


@pytest.mark.parametrize(
    ("field", "value", "fen"),
    [
        ("totalAmount", Decimal("19.9"), 1_990),
        ("totalAmount", 19, 1_900),
        ("totalAmount", "19.90", 1_990),
        ("totalAmount", "0", 0),
        ("shippingFee", Decimal("0.01"), 1),
        ("sumProductPayment", "1000000.00", 100_000_000),
        ("refund", "5", 500),
        ("discount", 5, 5),
        ("discount", "-150", -150),
    ],
)
def test_every_amount_has_its_own_unit(field: str, value: Any, fen: int) -> None:
    name = {
        "totalAmount": "total",
        "shippingFee": "shipping",
        "sumProductPayment": "products",
        "refund": "refunded",
        "discount": "discount",
    }[field]
    assert getattr(amounts_of(base(**{field: value})), name) == fen


@pytest.mark.parametrize("field", ["totalAmount", "shippingFee", "sumProductPayment", "refund", "discount"])
@pytest.mark.parametrize(
    "value",
    ["abc", "1,000", "NaN", "Infinity", "1e400", "1_000", True, {}, [], 1.5, 10**40, "-", "0x10"],
)
def test_an_amount_that_is_no_number_makes_the_whole_answer_unreadable(field: str, value: Any) -> None:
    with pytest.raises(UnreadableValueError, match=field):
        snapshot_of(base(**{field: value}), with_parcels=True)


@pytest.mark.parametrize(
    ("field", "value"), [("totalAmount", "0.001"), ("discount", "1.5"), ("discount", Decimal("0.5"))]
)
def test_a_fraction_of_a_fen_is_not_rounded_away(field: str, value: Any) -> None:
    with pytest.raises(UnreadableValueError, match=field):
        amounts_of(base(**{field: value}))


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_total_is_not_zero(value: Any) -> None:
    with pytest.raises(UnreadableValueError, match="totalAmount is missing"):
        amounts_of(base(totalAmount=value))
    assert amounts_of(base(shippingFee=value, sumProductPayment=value, discount=value, refund=value)) == Amounts(12_300)


def test_a_total_below_zero_does_not_become_the_baseline_of_the_price_guard() -> None:
    with pytest.raises(UnreadableValueError, match="below zero"):
        amounts_of(base(totalAmount="-5.00"))


@pytest.mark.parametrize(
    ("said", "currency"), [(None, "CNY"), ("", "CNY"), ("cny", "CNY"), ("RMB", "CNY"), ("USD", "USD")]
)
def test_amounts_carry_the_currency_that_the_order_names(said: str | None, currency: str) -> None:
    """A policy allows yuan; an order in dollars must not slip under its limit."""
    assert amounts_of(base(currency=said)).currency == currency


@pytest.mark.parametrize("said", ["YUAN", "元", "C Y", 156, {}, True])
def test_a_currency_that_is_none_makes_the_amounts_unreadable(said: Any) -> None:
    with pytest.raises(UnreadableValueError, match="currency"):
        amounts_of(base(currency=said))


@pytest.mark.parametrize("word", [None, "", {}, [], True])
def test_an_answer_without_a_status_is_unreadable(word: Any) -> None:
    with pytest.raises(UnreadableValueError, match="status is missing"):
        lifecycle_of(base(status=word))


@pytest.mark.parametrize("trade", [{}, {"baseInfo": None}, {"baseInfo": []}, {"baseInfo": "x"}])
def test_an_answer_without_its_main_block_is_unreadable(trade: dict[str, Any]) -> None:
    assert order_id_of(trade) is None
    with pytest.raises(UnreadableValueError):
        snapshot_of(trade, with_parcels=True)


@pytest.mark.parametrize("block", ["productItems", "nativeLogistics", "tradeTerms"])
@pytest.mark.parametrize("value", [None, [], {}, "x", 5, [None, "x", 5, []]])
def test_other_blocks_may_be_missing_or_odd(block: str, value: Any) -> None:
    snapshot = snapshot_of(order_1688() | {block: value}, with_parcels=True)
    assert snapshot.amounts is not None
    assert {"productItems": snapshot.lines, "nativeLogistics": snapshot.parcels, "tradeTerms": ()}[block] == ()


@pytest.mark.parametrize(
    ("terms", "paid"),
    [
        ([], False),
        (["x"], False),
        ([1], False),
        ([9], False),
        ([7, 8, 12], False),
        ([2], True),
        (["2"], True),
        ([4], True),
        ([6], True),
        ([1, 2], True),
    ],
)
def test_only_terms_that_say_so_prove_a_payment(terms: list[Any], paid: bool) -> None:  # noqa: FBT001 - a table's column
    trade = base(payTime=None) | {"tradeTerms": [{"payStatus": term} for term in terms]}
    assert lifecycle_of(trade).paid is paid


def test_a_list_row_does_not_erase_parcels_since_it_does_not_cover_them() -> None:
    assert snapshot_of(order_1688(), with_parcels=False).parcels is None
    assert snapshot_of(order_1688() | {"nativeLogistics": None}, with_parcels=True).parcels == ()


def test_a_parcel_keeps_its_name_when_its_waybill_is_replaced() -> None:
    def named(**item: Any) -> list[str]:
        trade = order_1688() | {"nativeLogistics": {"logisticsItems": [item]}}
        return [parcel.parcel_id for parcel in snapshot_of(trade, with_parcels=True).parcels or ()]

    assert named(id=56_000_000_000_001, logisticsCode="LP1", logisticsBillNo="SF1") == ["56000000000001"]
    assert named(logisticsCode="LP1", logisticsBillNo="SF1") == ["LP1"]
    assert named(logisticsBillNo="SF1") == ["SF1"]
    assert named(status="sign") == []


def test_a_parcel_that_is_listed_twice_is_one_parcel() -> None:
    items = [{"id": 1, "status": "alreadysend"}, {"id": "1", "status": "sign"}]
    parcels = snapshot_of(order_1688() | {"nativeLogistics": {"logisticsItems": items}}, with_parcels=True).parcels
    assert parcels == (Parcel("1", status_word="sign"),)


def test_two_lines_with_one_refund_are_one_refund_that_names_both() -> None:
    lines = [{"subItemID": number, "refundId": "TQ1", "refundStatus": "WAIT_SELLER_AGREE"} for number in (11, 12)]
    assert refunds(with_lines(*lines)) == (RefundSeen("TQ1", "WAIT_SELLER_AGREE", line_ids=("11", "12")),)


@pytest.mark.parametrize("words", [(None, "REFUND_SUCCESS"), ("REFUND_SUCCESS", None)])
def test_either_of_two_lines_may_say_how_their_refund_stands(words: tuple[str | None, str | None]) -> None:
    lines = [{"subItemID": 11 + n, "refundId": "TQ1", "refundStatus": word} for n, word in enumerate(words)]
    assert refunds(with_lines(*lines)) == (RefundSeen("TQ1", "REFUND_SUCCESS", line_ids=("11", "12")),)


def test_the_orders_own_word_on_a_refund_wins_over_a_lines() -> None:
    line = {"subItemID": 11, "refundId": "TQ1", "refundStatus": "WAIT_SELLER_AGREE"}
    both = with_lines(line)
    both["baseInfo"] |= {"refundId": "TQ1", "refundStatus": "refundsuccess"}
    assert refunds(both) == (RefundSeen("TQ1", "refundsuccess", line_ids=("11",)),)
    both["baseInfo"] |= {"refundStatus": None, "refundStatusForAs": "refundclose"}
    assert refunds(both) == (RefundSeen("TQ1", "refundclose", line_ids=("11",)),)
    both["baseInfo"] |= {"refundStatusForAs": ""}
    assert refunds(both) == (RefundSeen("TQ1", "WAIT_SELLER_AGREE", line_ids=("11",)),)


def test_a_refund_that_only_the_order_names_has_no_lines() -> None:
    assert refunds(base(refundId="TQ9", refundStatus="waitselleragree")) == (RefundSeen("TQ9", "waitselleragree"),)


def test_a_line_without_an_id_is_left_out() -> None:
    trade = with_lines({"name": "nameless"}, {"subItemIDString": "", "subItemID": 9_007_199_254_740_993})
    lines = snapshot_of(trade, with_parcels=True).lines or ()
    assert [line.line_id for line in lines] == ["9007199254740993"]


def test_no_more_lines_are_read_than_the_limit() -> None:
    trade = with_lines(*({"subItemID": number} for number in range(1, MAX_LINES + 50)))
    assert len(snapshot_of(trade, with_parcels=True).lines or ()) == MAX_LINES


odd = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]), st.just({}), st.decimals())


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_one_field_becomes_the_order_is_read_or_called_unreadable(data: st.DataObject) -> None:
    trade = order_1688()
    block = data.draw(st.sampled_from(["baseInfo", "productItems", "nativeLogistics", "tradeTerms"]))
    holder = trade[block]
    if block == "nativeLogistics":
        holder = holder["logisticsItems"]
    if isinstance(holder, list):
        holder = data.draw(st.sampled_from(holder))
    holder[data.draw(st.sampled_from(sorted(holder)))] = data.draw(odd)
    try:
        snapshot = snapshot_of(trade, with_parcels=True)
    except UnreadableValueError:
        return
    assert snapshot.lifecycle is not None
    assert snapshot.amounts is not None


def test_the_first_line_that_can_no_longer_be_paid_ends_the_time_to_pay() -> None:
    items = [{"gmtPayExpireTime": "2026-01-06 10:00:00"}, {"gmtPayExpireTime": "2026-01-05 10:00:00"}, {}]
    life = lifecycle_of({"baseInfo": {"status": "waitbuyerpay"}, "productItems": items})
    assert life.pay_until == 1_767_578_400_000  # 2026-01-05 10:00 in Beijing


def test_an_order_that_does_not_say_until_when_it_can_be_paid_says_nothing() -> None:
    life = lifecycle_of({"baseInfo": {"status": "waitbuyerpay"}, "productItems": [{"gmtPayExpireTime": "soon"}]})
    assert life.pay_until is msgspec.UNSET
