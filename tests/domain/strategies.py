"""Everything that one order can be told, with the collisions that break merges: equal stamps, lost and absurd times."""

from __future__ import annotations

from hypothesis import strategies as st
from msgspec import UNSET

from tests.domain.examples import KEY, NOON, at
from worker.domain.clock import HOUR, Millis
from worker.domain.facts import (
    Amounts,
    Content,
    Fact,
    InspectionSeen,
    Lifecycle,
    Line,
    LogisticsSeen,
    Parcel,
    ParcelTrack,
    PriceSeen,
    RefundDetail,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
)
from worker.domain.status import PART_SHIPPED_EVENT, RECEIPT_EVENT

KNOWN_WORDS = ("waitbuyerpay", "waitsellersend", "waitbuyerreceive", "confirm_goods", "success", "cancel", "CANCEL")
STRANGE_WORDS = ("", "other", "waitselleract", "?waitbuyerpay")
REFUND_WORDS = ("waitselleragree", "WAIT_SELLER_AGREE", "refundsuccess", "refundclose", "30", "no such word", None)
REFUND_IDS = ("TQ1", "TQ2", "TQ3")

instants: st.SearchStrategy[Millis] = st.integers(0, 40).map(at)
"""Forty seconds on whole seconds: many ties, many within the skew of each other."""
broken_times = st.sampled_from([0, -1, -NOON, NOON + 24 * HOUR, 32_503_680_000_000, 2**62])
provider_times = st.one_of(st.none(), instants, instants, instants, broken_times)
known_words = st.sampled_from(KNOWN_WORDS)
words = st.one_of(known_words, known_words, known_words, st.sampled_from(STRANGE_WORDS))
totals = st.sampled_from([9_000, 10_000, 10_200, 10_201, 0])
events = st.sampled_from([None, "ORDER_BUYER_VIEW_" + PART_SHIPPED_EVENT, RECEIPT_EVENT, "ORDER_BUYER_VIEW_ORDER_PAY"])

amounts = st.builds(
    Amounts,
    total=totals,
    shipping=st.none() | totals,
    refunded=st.none() | totals,
    currency=st.sampled_from(["CNY", "CNY", "USD"]),
)
refunds_seen = st.builds(
    RefundSeen,
    refund_id=st.sampled_from(REFUND_IDS),
    word=st.sampled_from(REFUND_WORDS),
    amount=st.none() | totals,
    line_ids=st.sampled_from([(), ("line0",)]),
)
hint_contents: st.SearchStrategy[Content] = st.one_of(
    st.builds(StatusSeen, word=st.none() | words, event=events),
    st.builds(StatusSeen, word=words),
    st.builds(PriceSeen, amounts=st.none() | amounts),
    refunds_seen,
    st.builds(LogisticsSeen, event=st.just("LOGISTICS_MAIL_NO_CHANGE")),
    st.builds(InspectionSeen, waybill=st.sampled_from(["SF1", "SF2"]), passed=st.booleans()),
)
hints = st.builds(
    Fact,
    key=st.just(KEY),
    source=st.sampled_from(Source),
    content=hint_contents,
    observed_at=instants,
    provider_time=provider_times,
    message_id=st.sampled_from([None, None, "m1"]),
)

lifecycles = st.builds(
    Lifecycle,
    word=words,
    paid_at=st.none() | instants,
    modified_at=st.one_of(st.none(), instants, instants, broken_times),
    paid=st.booleans(),
)
order_lines = st.lists(
    st.builds(Line, line_id=st.sampled_from(["line0", "line1"]), logistics_status=st.sampled_from([None, 1, 2, 5])),
    max_size=2,
).map(tuple)
waybills = st.sampled_from([None, "SF0001", "SF0002", "no carrier"])
parcels = st.lists(
    st.builds(
        Parcel,
        parcel_id=st.sampled_from(["L1", "L2"]),
        waybill=waybills,
        status_word=st.sampled_from([None, "alreadysend", "sign"]),
        code=st.sampled_from([UNSET, "LP1"]),
    ),
    max_size=2,
).map(tuple)
tracks = st.lists(
    st.builds(
        ParcelTrack,
        parcel_id=st.sampled_from(["L1", "LP1", "LP9"]),
        waybill=waybills,
        status_word=st.sampled_from([None, "TRANSPORT", "SIGN"]),
        moved_at=st.none() | instants,
    ),
    max_size=3,
).map(tuple)
refund_details = st.builds(
    RefundDetail, refund=refunds_seen, modified_at=st.one_of(st.none(), instants, instants, broken_times)
)
snapshots = st.builds(
    Snapshot,
    lifecycle=st.one_of(lifecycles, lifecycles, st.none()),
    amounts=st.none() | amounts,
    lines=st.none() | order_lines,
    parcels=st.none() | parcels,
    refunds=st.none() | st.lists(refunds_seen, max_size=3).map(tuple),
    international=st.sampled_from([UNSET, UNSET, (), ("FAR1",), ("FAR1", "FAR2")]),
)
reads = st.builds(
    Fact,
    key=st.just(KEY),
    source=st.sampled_from(Source),
    content=snapshots,
    observed_at=instants,
    provider_time=st.none(),
)
part_reads = st.builds(
    Fact,
    key=st.just(KEY),
    source=st.sampled_from(Source),
    content=st.one_of(st.builds(Snapshot, tracks=tracks), st.builds(Snapshot, refund=refund_details)),
    observed_at=instants,
    provider_time=st.none(),
)
"""Reads of a part of the order: of its logistics, or of one refund."""
listings = st.builds(
    Fact,
    key=st.just(KEY),
    source=st.just(Source.POLL),
    content=st.builds(StatusSeen, word=st.none() | words),
    observed_at=instants,
    provider_time=instants,
)
facts: st.SearchStrategy[Fact] = st.one_of(hints, reads, part_reads, listings)


@st.composite
def retellings(draw: st.DrawFn, told: st.SearchStrategy[list[Fact]]) -> tuple[list[Fact], list[Fact]]:
    """Draw facts, and the same facts in another order with some of them told again."""
    first = draw(told)
    again = draw(st.lists(st.sampled_from(first), max_size=6)) if first else []
    return first, draw(st.permutations(first + again))
