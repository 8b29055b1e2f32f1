"""What an answer is held against: presence, kind and unit of every field, without ever saying a value."""

from decimal import Decimal
from typing import Any

import pytest

from worker.catalogue.operation import Field, Kind, Mark
from worker.conformance.findings import FieldSeen, FieldState
from worker.conformance.shapes import compare, described, merged, others
from worker.conformance.units import contradictions

FOUND, EMPTY, MISSING = FieldState.FOUND, FieldState.EMPTY, FieldState.MISSING
OTHER_KIND, OTHER_UNIT = FieldState.OTHER_KIND, FieldState.OTHER_UNIT


def seen(kind: Kind, value: Any) -> FieldState:
    (one,) = compare([Field("a", kind)], {"a": value}, Mark.DOCUMENTED)
    return one.state


@pytest.mark.parametrize(
    ("kind", "value", "state"),
    [
        (Kind.TEXT, "x", FOUND),
        (Kind.TEXT, 5, OTHER_KIND),
        (Kind.ID_TEXT, "3300000000000000001", FOUND),
        (Kind.ID_TEXT, 3300000000000000001, OTHER_KIND),
        (Kind.ID_NUMBER, 3300000000000000001, FOUND),
        (Kind.ID_NUMBER, "3300000000000000001", FOUND),
        (Kind.ID_NUMBER, [], OTHER_KIND),
        (Kind.INTEGER, 5, FOUND),
        (Kind.INTEGER, "5", FOUND),
        (Kind.INTEGER, True, OTHER_KIND),
        (Kind.INTEGER, Decimal("5.5"), OTHER_KIND),
        (Kind.DECIMAL, "5.125", FOUND),
        (Kind.BOOLEAN, True, FOUND),
        (Kind.BOOLEAN, "TRUE", FOUND),
        (Kind.BOOLEAN, 1, OTHER_KIND),
        (Kind.FEN, 1234, FOUND),
        (Kind.FEN, "-1234", FOUND),
        (Kind.FEN, Decimal("12.34"), OTHER_UNIT),
        (Kind.FEN, "free", OTHER_KIND),
        (Kind.YUAN, Decimal("12.34"), FOUND),
        (Kind.YUAN, 12, FOUND),
        (Kind.YUAN, "12.3400", FOUND),
        (Kind.YUAN, "0.125", FOUND),
        (Kind.YUAN, "free", OTHER_KIND),
        (Kind.YUAN, None, EMPTY),
        (Kind.TIME, "20180614101942000-0700", FOUND),
        (Kind.TIME, "2026-01-01 10:00:00", FOUND),
        (Kind.TIME, "yesterday", OTHER_KIND),
        (Kind.OBJECT, {}, FOUND),
        (Kind.OBJECT, "{}", OTHER_KIND),
        (Kind.LIST, [], FOUND),
        (Kind.LIST, {}, OTHER_KIND),
        (Kind.JSON_TEXT, "[1]", FOUND),
        (Kind.JSON_TEXT, "[1", OTHER_KIND),
        (Kind.BASE64, "QUJD", FOUND),
        (Kind.BASE64, "http://", OTHER_KIND),
        (Kind.TEXT, "", EMPTY),
    ],
)
def test_a_value_is_of_a_kind_and_of_a_unit_or_not(kind: Kind, value: Any, state: FieldState) -> None:
    assert seen(kind, value) is state


def test_every_kind_has_a_test() -> None:
    for kind in Kind:
        assert seen(kind, {"no": "such"}) in (OTHER_KIND, FOUND)


def test_a_field_is_looked_for_in_every_row_and_one_wrong_row_is_enough() -> None:
    fields = [Field("rows[].id", Kind.ID_TEXT), Field("rows[].gone", Kind.TEXT), Field("one[].x", Kind.INTEGER)]
    rows = [{"id": "1"}, {"id": None}, {"id": 3}]
    data = {"rows": rows, "one": {"x": 1}}
    assert [one.state for one in compare(fields, data, Mark.INFERRED)] == [OTHER_KIND, MISSING, FOUND]
    assert compare(fields, data, Mark.INFERRED)[0].note == "a whole number"
    assert [one.state for one in compare(fields, None, Mark.INFERRED)] == [MISSING] * 3


def test_a_fields_own_mark_counts_before_the_answers() -> None:
    (own,) = compare([Field("a", Kind.TEXT, mark=Mark.INFERRED)], {}, Mark.DOCUMENTED)
    assert own.mark is Mark.INFERRED


def test_names_that_the_catalogue_lacks_are_told_once_and_not_below_a_field_that_stands_as_a_whole() -> None:
    fields = [Field("baseInfo.id", Kind.ID_NUMBER), Field("logistics", Kind.OBJECT), Field("rows[].id", Kind.TEXT)]
    data = {
        "baseInfo": {"id": 1, "new": 2},
        "logistics": {"inside": 1},
        "rows": [{"id": "a", "b": 1}, {"b": 2}],
        "c": 1,
    }
    assert others(fields, data) == ["baseInfo.new", "rows[].b", "c"]


@pytest.mark.parametrize("value", ["13800000000", "张三", 5, Decimal("1.5"), ["x"], {"x": 1}, True, "12.5", None])
def test_a_description_never_says_the_value(value: Any) -> None:
    words = described(value)
    assert words
    assert str(value) not in words or value is None


def test_of_two_looks_the_more_telling_counts() -> None:
    def look(*states: FieldState) -> list[FieldSeen]:
        return [FieldSeen("a", "text", Mark.DOCUMENTED, state) for state in states]

    first, second = look(MISSING, FOUND, FOUND, EMPTY), look(FOUND, EMPTY, OTHER_KIND, MISSING)
    assert [one.state for one in merged(first, second)] == [FOUND, FOUND, OTHER_KIND, EMPTY]


def order(total: str, shipping: str, *items: str) -> dict[str, Any]:
    base = {"totalAmount": Decimal(total), "shippingFee": Decimal(shipping)}
    return {"baseInfo": base, "productItems": [{"itemAmount": Decimal(item)} for item in items]}


def test_an_order_whose_sum_does_not_come_out_has_a_unit_wrong() -> None:
    assert contradictions("1688.order.detail", order("13.50", "3.00", "10.00", "0.50")) == []
    (text,) = contradictions("1688.order.detail", order("1350", "3.00", "10.50"))
    assert "another unit" in text
    assert contradictions("1688.order.detail", {"result": order("1350", "3.00", "10.50")}) == [text]
    assert contradictions("1688.order.list", {"data": [order("1", "0", "1"), order("100", "0", "1")]}) == [text]
    assert contradictions("1688.order.detail", {"baseInfo": {"totalAmount": 5}}) == []


def test_a_preview_has_sums_in_fen_and_cargo_in_yuan() -> None:
    def preview(goods: int, amount: str, total: int | None = None) -> dict[str, Any]:
        sums = {"sumPaymentNoCarriage": goods, "sumCarriage": 600, "sumPayment": total or goods + 600}
        return {"orderPreviewResuslt": [{**sums, "cargoList": [{"amount": Decimal(amount)}]}]}

    assert contradictions("1688.order.preview", preview(1050, "10.50")) == []
    assert "another unit" in contradictions("1688.order.preview", preview(1050, "1050"))[0]
    assert "sumPayment is not" in contradictions("1688.order.preview", preview(1050, "10.50", total=1650 + 1))[0]
