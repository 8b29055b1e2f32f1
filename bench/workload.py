"""A stream of facts as a marketplace makes them: per order a creation, a price change, reads, a shipment, an end."""

from __future__ import annotations

import random

from worker.domain.clock import MINUTE, Millis
from worker.domain.facts import (
    Amounts,
    Fact,
    Lifecycle,
    Line,
    Parcel,
    PriceSeen,
    Snapshot,
    Source,
    StatusSeen,
)
from worker.domain.identity import OrderKey, Platform

START: Millis = 1_767_225_600_000  # 2026-01-01T00:00:00Z
LINES = 2


def facts_of_orders(orders: int, seed: int) -> list[Fact]:
    """Return the facts of so many orders, eight each, interleaved as they would arrive."""
    rng = random.Random(seed)  # noqa: S311 - a workload, not a secret
    lives = [_life(f"43{seed:02d}{number:015d}", rng) for number in range(orders)]
    window = 200
    stream: list[Fact] = []
    for start in range(0, orders, window):
        group = lives[start : start + window]
        for step in range(len(group[0])):
            stream += [life[step] for life in group]
    return stream


def _life(order_id: str, rng: random.Random) -> list[Fact]:
    key = OrderKey("bench", Platform.ALIBABA_1688, order_id)
    at = START + rng.randrange(1_000_000)
    total = rng.randrange(1_000, 100_000)

    def pushed(minute: int, content: StatusSeen | PriceSeen) -> Fact:
        when = at + minute * MINUTE
        return Fact(key, Source.CALLBACK, content, observed_at=when + 50, provider_time=when)

    def read(minute: int, word: str, amount: int, *, shipped: bool = False) -> Fact:
        when = at + minute * MINUTE
        return Fact(key, Source.RESPONSE, _snapshot(word, amount, at, when, shipped=shipped), observed_at=when + 10_000)

    return [
        pushed(0, StatusSeen("waitbuyerpay", "BUYER_MAKE")),
        read(0, "waitbuyerpay", total),
        pushed(5, PriceSeen(Amounts(total - 100, shipping=600))),
        read(5, "waitbuyerpay", total - 100),
        pushed(10, StatusSeen("waitsellersend", "ORDER_PAY")),
        read(10, "waitsellersend", total - 100),
        pushed(60, StatusSeen("waitbuyerreceive", "ANNOUNCE_SENDGOODS")),
        read(60, "waitbuyerreceive", total - 100, shipped=True),
    ]


def _snapshot(word: str, total: int, created: Millis, modified: Millis, *, shipped: bool) -> Snapshot:
    paid = word != "waitbuyerpay"
    lines = tuple(
        Line(
            line_id=f"{created}{number}",
            product_id="600123456789",
            name="Cotton bag, 30 x 40 cm, natural",
            quantity="10",
            price=(total - 600) // (10 * LINES),
            amount=(total - 600) // LINES,
            status_word=word,
            logistics_status=2 if shipped else 1,
        )
        for number in range(LINES)
    )
    parcel = Parcel("LP1", waybill="SF1234567890", carrier="SF Express", line_ids=tuple(line.line_id for line in lines))
    return Snapshot(
        lifecycle=Lifecycle(
            word=word,
            created_at=created,
            paid_at=created + 10 * MINUTE if paid else None,
            modified_at=modified,
            paid=paid,
        ),
        amounts=Amounts(total, shipping=600, products=total - 600),
        lines=lines,
        parcels=(parcel,) if shipped else (),
        refunds=(),
    )
