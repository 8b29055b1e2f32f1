"""Rows of a list: as facts, and kept as they came where they cannot be read."""

from __future__ import annotations

import json
from typing import Any

from worker.domain.clock import Millis
from worker.domain.facts import Fact, Source, StatusSeen
from worker.domain.identity import OrderKey, Platform
from worker.marketplaces.trade import lifecycle_of, order_id_of
from worker.marketplaces.values import UnreadableValueError


def listed_order(account: str, row: dict[str, Any], asked_at: Millis) -> Fact:
    """A list row is a hint: it says that the order was modified, and the detail is read if that is news."""
    order_id = order_id_of(row)
    if order_id is None:
        raise UnreadableValueError("a list row has no order id")
    life = lifecycle_of(row)
    return Fact(
        key=OrderKey(account, Platform.ALIBABA_1688, order_id),
        source=Source.POLL,
        content=StatusSeen(word=life.word),
        observed_at=asked_at,
        provider_time=life.modified_at,
    )


def raw_row(row: Any) -> bytes:
    """Return a row as it came, as far as Python keeps it: msgspec writes no integer above 64 bits."""
    try:
        return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "replace")
    except RecursionError:
        return b"(nested too deeply to be written)"
