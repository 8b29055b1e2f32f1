"""Money is exact or refused; nothing is rounded, nothing is guessed."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from worker.domain.money import MAX_MINOR, MoneyError, fen_from_fen, fen_from_yuan, yuan_text

READERS = [fen_from_yuan, fen_from_fen]
fens = st.integers(-MAX_MINOR, MAX_MINOR)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", [1.5, 12.0, float("nan"), True, False, None, [], {}, b"12", (0, (1,), 0), 1j])
def test_what_is_no_exact_number_is_refused(reader: Callable[[object], int], value: object) -> None:
    with pytest.raises(MoneyError, match="is not an amount in"):
        reader(value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("text", ["", "  ", "abc", "1,000", "1 000", "¥12", "0x10", "1_000", "1.2.3", "--1", "1\x002"])
def test_text_that_is_no_number_is_refused(reader: Callable[[object], int], text: str) -> None:
    with pytest.raises(MoneyError, match="is not an amount in"):
        reader(text)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("value", ["nan", "sNaN", "Infinity", "-Infinity", Decimal("NaN"), Decimal("Infinity")])
def test_what_is_not_finite_is_refused(reader: Callable[[object], int], value: object) -> None:
    with pytest.raises(MoneyError, match="out of range"):
        reader(value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "value",
    ["1e999999", "1e999999999", "-1e999999999", 10**400, -(10**400), 10**5_000, "9" * 5_000, Decimal(10**14)],
    ids=lambda value: str(value)[:12] if not isinstance(value, int) else "huge int",
)
def test_huge_values_are_refused_at_once_and_shown_short(reader: Callable[[object], int], value: object) -> None:
    with pytest.raises(MoneyError, match="out of range") as refusal:
        reader(value)
    assert len(str(refusal.value)) < 120


@pytest.mark.parametrize(
    "value", ["0.001", "12.345", Decimal("0.999"), "1e-3", "1e-999999999", "0." + "0" * 40 + "1", "1." + "0" * 30 + "1"]
)
def test_a_fraction_of_a_fen_is_refused_however_small(value: object) -> None:
    with pytest.raises(MoneyError, match="fraction of a fen"):
        fen_from_yuan(value)
    with pytest.raises(MoneyError, match="not a whole number of fen"):
        fen_from_fen(value)


def test_fen_have_no_decimals() -> None:
    with pytest.raises(MoneyError, match="not a whole number of fen"):
        fen_from_fen("12.5")


@pytest.mark.parametrize("reader", READERS)
def test_a_refusal_names_the_field(reader: Callable[[object, str], int]) -> None:
    with pytest.raises(MoneyError, match=r"^baseInfo\.totalAmount: 'x' is not an amount"):
        reader("x", "baseInfo.totalAmount")


@pytest.mark.parametrize(
    ("value", "fen"),
    [
        ("12.34", 1_234),
        (" 12.3 ", 1_230),
        ("\t12\n", 1_200),
        (12, 1_200),
        (Decimal("12.34"), 1_234),
        (Decimal("12.3400"), 1_234),
        ("12.34" + "0" * 60, 1_234),
        ("-0.01", -1),
        ("-0", 0),
        ("0e999999999", 0),
        ("+5", 500),
        ("5.", 500),
        (Decimal("1E+2"), 10_000),
        (Decimal(MAX_MINOR) / 100, MAX_MINOR),
    ],
)
def test_yuan_become_fen_exactly(value: object, fen: int) -> None:
    assert fen_from_yuan(value) == fen


@pytest.mark.parametrize(
    ("value", "fen"), [("1234", 1_234), (" 5 ", 5), (7, 7), (Decimal("7.00"), 7), (MAX_MINOR, MAX_MINOR), ("-3", -3)]
)
def test_fen_stay_fen(value: object, fen: int) -> None:
    assert fen_from_fen(value) == fen


@pytest.mark.parametrize("value", [MAX_MINOR + 1, -MAX_MINOR - 1])
def test_the_limit_is_sharp(value: int) -> None:
    with pytest.raises(MoneyError, match="out of range"):
        fen_from_fen(value)
    with pytest.raises(MoneyError, match="out of range"):
        fen_from_yuan(Decimal(value) / 100)


@settings(max_examples=200, deadline=None)
@given(fens)
@example(0)
@example(-1)
@example(-100)
@example(MAX_MINOR)
def test_what_is_shown_can_be_read_back(fen: int) -> None:
    assert fen_from_yuan(yuan_text(fen)) == fen
    assert fen_from_yuan(Decimal(yuan_text(fen))) == fen
    assert fen_from_fen(str(fen)) == fen


@settings(max_examples=100, deadline=None)
@given(st.one_of(st.decimals(), st.text(max_size=30), st.integers()))
def test_every_answer_is_exact_or_a_refusal(value: object) -> None:
    try:
        fen = fen_from_yuan(value)
    except MoneyError:
        return
    amount = Decimal(value.strip()) if isinstance(value, str) else value
    assert isinstance(amount, Decimal | int)
    assert Decimal(fen) == Decimal(amount).scaleb(2, Context(prec=100))
    assert abs(fen) <= MAX_MINOR


@pytest.mark.parametrize(
    ("fen", "text"), [(1_234, "12.34"), (5, "0.05"), (-5, "-0.05"), (0, "0.00"), (-1_234, "-12.34")]
)
def test_people_read_yuan(fen: int, text: str) -> None:
    assert yuan_text(fen) == text
