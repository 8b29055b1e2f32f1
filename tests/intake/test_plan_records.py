"""A record is a plan for one order, or it is set aside; what stands in it is repeated nowhere."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.domain.identity import OrderKey, Platform
from worker.domain.plans import Plan, PlanError
from worker.intake.plans import read_record

ACCOUNTS = ("main", "second")
KEY = b"main/1688/123"


@dataclass
class Written:
    """A record as it comes off the topic."""

    value: bytes | None = b'{"planned_total": "1.00"}'
    key: bytes | None = KEY
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    offset: int = 0
    topic: str = "orders.plans.v1"
    partition: int = 0
    timestamp: int = 1_700_000_000_000


def test_a_record_is_a_plan_with_who_sent_it() -> None:
    found = read_record(Written(headers=[("ce_type", b"ordersync.plan.v1"), ("ce_source", b"/shop")]), ACCOUNTS)
    assert (found.key, found.plan) == (OrderKey("main", Platform.ALIBABA_1688, "123"), Plan(planned_total=100))
    assert found.requested_by == "kafka:/shop"
    assert read_record(Written(), ACCOUNTS).requested_by == "kafka"


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (Written(key=None), r"\(key\): expected account/platform/order_id"),
        (Written(key=b"main/1688"), r"\(key\): expected account/platform/order_id"),
        (Written(key=b"main/ebay/1"), r"\(key\): expected account/platform/order_id"),
        (Written(key=b"main/1688/a b"), r"\(key\): expected account/platform/order_id"),
        (Written(key=b"\xff"), r"\(key\): expected account/platform/order_id"),
        (Written(key=b"mian/1688/1"), "no such account here; expected one of main, second"),
        (Written(value=None), r"to plan nothing any more, send \{\}"),
        (Written(value=b"{"), "expected JSON in UTF-8"),
        (Written(value=b"\xff"), "expected JSON in UTF-8"),
        (Written(value=b"[" * 100_000), "expected JSON in UTF-8"),
        (Written(value=b"[]"), "expected a JSON object"),
        (Written(value=b'{"planned_total": 1}'), "planned_total: expected an amount as text"),
        (Written(value=b'{"reason": "x"}'), "reason: there is no such field"),
        (Written(headers=[("ce_type", b"ordersync.fact.status.v1")]), "ce_type: expected ordersync.plan.v1"),
    ],
)
def test_what_is_no_plan_is_said(record: Written, why: str) -> None:
    with pytest.raises(PlanError, match=why):
        read_record(record, ACCOUNTS)


def identity(**changes: Any) -> str:
    return read_record(Written(**changes), ACCOUNTS).event


def test_the_senders_id_makes_two_records_one_and_its_place_only_without_one() -> None:
    headers = [("ce_id", b"1"), ("ce_source", b"/shop")]
    assert identity(headers=headers, offset=1) == identity(headers=headers, offset=2)
    assert identity(headers=headers) != identity(headers=headers, value=b"{}"), "an id used twice means both"
    assert identity(headers=headers) != identity(headers=[("ce_id", b"1"), ("ce_source", b"/other")])
    assert identity(offset=1) == identity(offset=1)
    assert len({identity(offset=1), identity(offset=2), identity(offset=1, timestamp=5), identity(partition=1)}) == 4


names = st.sampled_from(["ce_id", "ce_type", "ce_source"])
headers = st.lists(st.tuples(names, st.one_of(st.none(), st.binary(max_size=20))))


@given(st.binary(max_size=50), st.binary(max_size=30), headers)
def test_any_bytes_are_a_plan_or_a_mistake(value: bytes, key: bytes, sent: list[tuple[str, bytes | None]]) -> None:
    for record in (Written(value, KEY, sent), Written(b"{}", key, sent), Written(b'{"a": 1}', key)):
        with contextlib.suppress(PlanError):
            found = read_record(record, ACCOUNTS)
            assert len(found.event) == 64
            assert found.requested_by.isprintable()
