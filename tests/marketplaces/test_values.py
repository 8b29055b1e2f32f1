"""Loose JSON values are read exactly or not at all."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.marketplaces.values import (
    MAX_TEXT,
    as_list,
    as_object,
    compact_text,
    decode_json,
    identifier,
    instant,
    small_int,
    text,
)

TEN_IN_BEIJING = 1_767_232_800_000
"""2026-01-01 10:00:00 +08:00."""

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ("2026-01-01 10:00:00", TEN_IN_BEIJING),
        (" 2026-01-01 10:00:00 ", TEN_IN_BEIJING),
        ("20260101100000000+0800", TEN_IN_BEIJING),
        ("20260101100000123+0800", TEN_IN_BEIJING + 123),
        ("20260101100000+0800", TEN_IN_BEIJING),
        ("20260101100000123", TEN_IN_BEIJING + 123),
        ("20260101100000", TEN_IN_BEIJING),
        ("20251231190000000-0700", TEN_IN_BEIJING),
        ("20260101020000000+0000", TEN_IN_BEIJING),
        (TEN_IN_BEIJING, TEN_IN_BEIJING),
        (str(TEN_IN_BEIJING), TEN_IN_BEIJING),
        (TEN_IN_BEIJING // 1000, TEN_IN_BEIJING),
        (str(TEN_IN_BEIJING // 1000), TEN_IN_BEIJING),
        (1_262_304_000, 1_262_304_000_000),
        ("1715669977082", 1_715_669_977_082),
    ],
)
def test_an_instant_is_read_in_every_form_in_use(given_value: Any, expected: int) -> None:
    assert instant(given_value) == expected


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        True,
        "",
        "now",
        "0",
        0,
        -1,
        5,
        "0000-00-00 00:00:00",
        "2026-13-01 10:00:00",
        "2026-02-30 10:00:00",
        "2026-01-01",
        "2026-01-01 10:00",
        "2026-01-01T10:00:00Z",
        "20260231100000000+0800",
        "20260101100000000+9999",
        "20260101100000000+08:00",
        "1969-12-31 23:59:59",
        "2101-01-01 00:00:00",
        1_767_232_800_000_000,
        "1767232800000000",
        10**40,
        "9" * 400,
        "２０２６-01-01 10:00:00",  # noqa: RUF001 - digits of another script are no digits of theirs
        Decimal("1767232800000.5"),
        1.5,
        [],
        {},
    ],
)
def test_what_is_no_instant_is_none(garbage: Any) -> None:
    assert instant(garbage) is None


@given(st.integers(min_value=1_262_304_000_000, max_value=4_102_444_799_999))
def test_an_instant_survives_being_written_as_they_write_it(at: int) -> None:
    assert instant(compact_text(at)) == at


def test_we_write_times_in_beijing() -> None:
    assert compact_text(TEN_IN_BEIJING + 7) == "20260101100000007+0800"
    assert datetime.fromtimestamp(TEN_IN_BEIJING / 1000, UTC).hour == 2


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        ((9_007_199_254_740_993,), "9007199254740993"),
        (("9007199254740993",), "9007199254740993"),
        ((10**30,), "1" + "0" * 30),
        (("TQ66",), "TQ66"),
        ((" 12 ",), "12"),
        ((None, "", 0, "0", True, [], {}, 1.5, Decimal(3), "12"), "12"),
    ],
)
def test_an_identifier_is_the_first_candidate_that_can_be_one(candidates: tuple[Any, ...], expected: str) -> None:
    assert identifier(*candidates) == expected


@pytest.mark.parametrize("broken", ["a b", "../x", "-1", -1, "x" * 65, 10**64, "订单", "a/b", "a\n", "\x00", ".x", ""])
def test_what_could_not_stand_in_a_path_is_no_identifier(broken: Any) -> None:
    assert identifier(broken) is None or identifier(broken) == str(broken).strip() == "a"


@pytest.mark.parametrize(
    ("value", "expected"), [(2, 2), ("2", 2), (" 2 ", 2), (-20, -20), ("-20", -20), (999_999, 999_999)]
)
def test_a_small_number_comes_as_number_or_text(value: Any, expected: int) -> None:
    assert small_int(value) == expected


@pytest.mark.parametrize("value", [True, None, "", "1_0", "+5", "٣", "5.0", Decimal(5), 5.0, 10**6, "1000000", 10**400])
def test_what_is_no_small_number_is_none(value: Any) -> None:
    assert small_int(value) is None


def test_text_is_text_or_a_number_and_never_longer_than_its_limit() -> None:
    assert text("词") == "词"
    assert text(12) == "12"
    assert text(Decimal("1.50")) == "1.50"
    no_text: list[Any] = ["", None, True, [], {}]
    assert [text(value) for value in no_text] == [None] * 5
    assert len(text("x" * 9_999) or "") == MAX_TEXT


@given(anything)
def test_no_value_makes_a_reader_fail(value: Any) -> None:
    readers: tuple[Callable[[Any], object], ...] = (text, identifier, small_int, instant, as_list, as_object)
    for read in readers:
        read(value)


def test_numbers_stay_exact() -> None:
    assert decode_json(b"9007199254740993") == 9_007_199_254_740_993
    assert decode_json(b"1" + b"0" * 40) == 10**40
    assert decode_json("0.1") == Decimal("0.1")
    assert decode_json(b"12345678901234567890.12") == Decimal("12345678901234567890.12")


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{",
        b"nul",
        b"NaN",
        b"Infinity",
        b"'a'",
        b'{"a":1,}',
        b"\xff",
        b'"\xff"',
        b'"\\ud800"',
        b"\xef\xbb\xbf{}",
        b"9" * 5_000,
        b"1e99999999999999999999",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        "\ud800",
    ],
)
def test_what_is_no_json_is_a_value_error_and_nothing_else(broken: bytes | str) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        decode_json(broken)
