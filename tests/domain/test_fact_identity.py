"""A fact's id depends on what was observed: a redelivery is the same fact, a new observation is another."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.examples import KEY, NOON, TAOBAO_KEY, at, price, read, refund, status
from tests.domain.strategies import facts, hint_contents, instants, snapshots
from worker.domain.clock import HOUR, MINUTE, Millis
from worker.domain.facts import (
    FUTURE_STAMP_TOLERANCE,
    Amounts,
    Content,
    Fact,
    Lifecycle,
    Line,
    LogisticsSeen,
    Parcel,
    PriceSeen,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
    is_believable,
)


def pushed(content: Content, stamped: Millis | None, received: Millis) -> Fact:
    return Fact(KEY, Source.CALLBACK, content, observed_at=received, provider_time=stamped)


@settings(max_examples=100, deadline=None)
@given(hint_contents, instants, instants)
def test_a_stamped_callback_has_the_same_id_whenever_it_arrives(content: Content, first: Millis, delay: Millis) -> None:
    assert pushed(content, NOON, first).derive_id() == pushed(content, NOON, first + delay).derive_id()


@pytest.mark.parametrize("stamped", [None, 0, -1, NOON + FUTURE_STAMP_TOLERANCE + 2])
def test_a_callback_without_a_usable_stamp_is_ordered_and_named_by_our_own_time(stamped: Millis | None) -> None:
    early, late = (pushed(StatusSeen("success"), stamped, received) for received in (NOON, NOON + 1))
    assert (early.stamp, late.stamp) == (NOON, NOON + 1)
    assert early.derive_id() != late.derive_id()
    assert early.derive_id() == pushed(StatusSeen("success"), stamped, NOON).derive_id()


def test_a_stamp_slightly_ahead_of_our_clock_is_still_the_sender_s() -> None:
    fact = pushed(StatusSeen("success"), NOON + FUTURE_STAMP_TOLERANCE, NOON)
    assert fact.stamp == NOON + FUTURE_STAMP_TOLERANCE


def test_a_stamp_from_the_future_that_is_redelivered_in_its_own_time_is_one_more_fact() -> None:
    ahead, in_time = (pushed(StatusSeen("success"), NOON + HOUR, received) for received in (NOON, NOON + HOUR))
    assert (ahead.stamp, in_time.stamp) == (NOON, NOON + HOUR)
    assert ahead.derive_id() != in_time.derive_id()


@pytest.mark.parametrize(
    ("stamped", "believable"),
    [
        (None, False),
        (-NOON, False),
        (0, False),
        (1, True),
        (NOON, True),
        (NOON + 10 * MINUTE, True),
        (NOON + 10 * MINUTE + 1, False),
        (NOON + HOUR, False),
    ],
)
def test_which_times_can_order_anything(stamped: Millis | None, believable: bool) -> None:  # noqa: FBT001 - a table
    assert is_believable(stamped, NOON) is believable


def test_a_price_that_comes_back_is_a_new_fact_told_apart_by_its_push_time() -> None:
    first, changed, back = price(10_000, 1), price(9_000, 2), price(10_000, 3)
    assert len({first.derive_id(), changed.derive_id(), back.derive_id()}) == 3


def test_a_redelivery_byte_for_byte_is_the_same_fact() -> None:
    assert status("success", 7, received=8).derive_id() == status("success", 7, received=1_800).derive_id()


def test_a_push_re_stamped_on_its_retry_is_another_fact() -> None:
    assert status("success", 7).derive_id() != status("success", 1_807).derive_id()


@settings(max_examples=60, deadline=None)
@given(snapshots, instants, instants)
def test_a_snapshot_is_named_by_when_it_was_asked(content: Snapshot, asked: Millis, again: Millis) -> None:
    same = pushed(content, None, asked).derive_id() == pushed(content, None, again).derive_id()
    assert same == (asked == again)


@settings(max_examples=120, deadline=None)
@given(facts, facts)
def test_different_observations_have_different_ids(one: Fact, other: Fact) -> None:
    same = (one.key, one.source, one.content, one.provider_time, one.message_id) == (
        other.key,
        other.source,
        other.content,
        other.provider_time,
        other.message_id,
    )
    if one.derive_id() == other.derive_id():
        assert same
    elif same:
        assert one.observed_at != other.observed_at


@pytest.mark.parametrize("field", ["key", "source", "content", "provider_time", "message_id"])
def test_everything_that_was_said_counts(field: str) -> None:
    fact = status("success", 1)
    other = {
        "key": TAOBAO_KEY,
        "source": Source.POLL,
        "content": StatusSeen("cancel"),
        "provider_time": at(2),
        "message_id": "m1",
    }[field]
    assert msgspec.structs.replace(fact, **{field: other}).derive_id() != fact.derive_id()


def test_kinds_with_the_same_words_are_different_facts() -> None:
    same_word: list[Content] = [
        RefundSeen("success"),
        LogisticsSeen("success"),
        StatusSeen("success"),
        PriceSeen(),
        Snapshot(),
    ]
    assert len({pushed(content, NOON, NOON).derive_id() for content in same_word}) == len(same_word)
    assert [pushed(content, NOON, NOON).kind for content in same_word] == [
        "refund",
        "logistics",
        "status",
        "price",
        "snapshot",
    ]


GOLDEN: list[tuple[str, Fact]] = [
    ("5cc67b8367755d2ac7fdff7c819af860", status("waitsellersend", 1, event="ORDER_BUYER_VIEW_ORDER_PAY")),
    (
        "d35462cf566042deaac9dca6fe54455e",
        msgspec.structs.replace(status("success", 1), message_id="1234567890123456789"),
    ),
    ("1802e0cb0f7c8c3d73daa34c6ded5cd4", pushed(StatusSeen("success"), None, NOON)),
    ("bfc29116659209230bc158761bc9ad53", price(123_456, 2)),
    ("9c22776c5615d5aaa6785795fe2200bc", price(None, 2)),
    ("4d37d3ac28632f5ec59a3bee239bc66a", refund("TQ33000001", "waitselleragree", 3, amount=500)),
    ("b32e022aa53cb8c001ac0ac0de866a84", pushed(LogisticsSeen("LOGISTICS_MAIL_NO_CHANGE", "SF1"), NOON, NOON)),
    ("921c28532be29657952bd6279a23225d", read("waitbuyerpay", 4, modified=3)),
    (
        "f6b762b1ea6c5b5a2b4e2e2b0ccf198a",
        Fact(
            TAOBAO_KEY,
            Source.RESPONSE,
            Snapshot(
                Lifecycle("WAIT_SELLER_SEND_GOODS", created_at=at(0), paid_at=at(1), modified_at=at(2), paid=True),
                Amounts(12_345, 345, 12_000, 0, 0),
                (Line("1", "2", "3", "衬衫", "https://example.com/1.jpg", "2", 6_000, 12_000, "paid", 1),),
                (Parcel("L1", "SF1", "SF", "CONSIGN", ("1",), at(2)),),
                (RefundSeen("R1", "10", "BUYER_APPLY_REFUND", 100, ("1",)),),
            ),
            observed_at=at(5),
        ),
    ),
]


@pytest.mark.parametrize(("expected", "fact"), GOLDEN, ids=[fact.kind for _, fact in GOLDEN])
def test_ids_stay_what_they_are(expected: str, fact: Fact) -> None:
    """A new id for an old fact would let every stored fact be applied again: change these only with a migration."""
    assert fact.derive_id() == expected


@given(st.lists(facts, max_size=3))
def test_ids_are_short_plain_text(told: list[Fact]) -> None:
    for fact in told:
        assert len(fact.derive_id()) == 32
        assert int(fact.derive_id(), 16) >= 0
