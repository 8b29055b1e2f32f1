"""Where a parcel is: the nodes of its trace, each reached once.

The words of the nodes are documented; how long a parcel takes between them is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worker.sandbox.goods import NO_WAYBILL
from worker.sandbox.order import Parcel

HOUR_S = 3_600.0
SIGN = "SIGN"
ON_THE_WAY = (("CONSIGN", 0.0), ("ACCEPT", 2 * HOUR_S), ("TRANSPORT", 6 * HOUR_S), ("DELIVERING", 11 * HOUR_S))
"""Node, and seconds of the marketplace's time after the parcel left."""
REMARKS = {
    "CONSIGN": "商家已发货",
    "ACCEPT": "包裹已揽收",
    "TRANSPORT": "包裹运输中",
    "DELIVERING": "包裹派送中",
    SIGN: "包裹已签收",
}
INFO_STATUS = {
    "CONSIGN": "WAITACCEPT",
    "ACCEPT": "ACCEPT",
    "TRANSPORT": "TRANSPORT",
    "DELIVERING": "TRANSPORT",
    SIGN: "SIGN",
}
"""The word that the list of parcels has for each node."""


@dataclass(frozen=True, slots=True)
class Node:
    """One node, and when it was reached (Unix milliseconds)."""

    word: str
    at: int


def is_traced(parcel: Parcel) -> bool:
    """A parcel that nobody carries has no trace."""
    return parcel.waybill != NO_WAYBILL


def nodes(parcel: Parcel, now_ms: int, scaled_ms: Callable[[float], int]) -> list[Node]:
    """The nodes reached so far, in order. What is signed for is not on the way any more."""
    if not is_traced(parcel):
        return []
    end = now_ms if parcel.signed_ms is None else min(now_ms, parcel.signed_ms)
    reached = [Node(word, parcel.shipped_ms + scaled_ms(after)) for word, after in ON_THE_WAY]
    found = [node for node in reached if node.at <= end]
    if parcel.signed_ms is not None:
        found.append(Node(SIGN, parcel.signed_ms))
    return found
