"""Instants are whole milliseconds, order keys are safe in a path, a log line and a Kafka key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY
from worker.domain.clock import SystemClock, from_datetime, iso, to_datetime
from worker.domain.identity import MAX_ORDER_ID, valid_account_name, valid_order_id

BEIJING = timezone(timedelta(hours=8))


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001 - the very thing under test


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 7_258_118_400_000))
def test_an_instant_survives_every_form(at: int) -> None:
    assert from_datetime(to_datetime(at)) == at
    assert from_datetime(to_datetime(at).astimezone(BEIJING)) == at
    assert from_datetime(datetime.fromisoformat(iso(at))) == at


def test_an_instant_reads_as_utc_with_milliseconds() -> None:
    assert iso(from_datetime(datetime(2026, 1, 1, 10, tzinfo=BEIJING))) == "2026-01-01T02:00:00.000Z"


def test_the_system_s_clock_tells_milliseconds() -> None:
    assert abs(SystemClock().now_ms() - datetime.now(UTC).timestamp() * 1000) < 60_000


def test_an_order_is_named_by_account_platform_and_id() -> None:
    assert str(KEY) == "main/1688/3300000000000000001"


@pytest.mark.parametrize(
    "value", ["", " 1", "1\n", "1/2", "-1", ".1", "订单", "1" * (MAX_ORDER_ID + 1), "1\x00", "1?x", "\uff11"]
)
def test_what_cannot_be_an_order_id(value: str) -> None:
    assert not valid_order_id(value)


@pytest.mark.parametrize("value", ["3300000000000000001", "PO202601010001", "a.b_c-d", "1" * MAX_ORDER_ID])
def test_what_can_be_an_order_id(value: str) -> None:
    assert valid_order_id(value)


@pytest.mark.parametrize("value", ["", "Main", "main\n", "a/b", "-a", "主", "a" * 41])
def test_what_cannot_name_an_account(value: str) -> None:
    assert not valid_account_name(value)


@pytest.mark.parametrize("value", ["main", "1688-shop", "a_b", "a" * 40])
def test_what_can_name_an_account(value: str) -> None:
    assert valid_account_name(value)
