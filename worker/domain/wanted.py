"""What an order calls for now. No effect starts on unconfirmed data: then only a fresh read is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from worker.domain.handover import wanted_handover
from worker.domain.payments import price_rose, wanted_payments
from worker.domain.plans import NO_PLAN, StandingPlan
from worker.domain.policy import SYNC, Effect, Policy, Wanted
from worker.domain.reducer import Order
from worker.domain.status import OrderStatus

MAX_SEARCHES: Final = 10
"""Lines of one order that substitutes are looked for."""
_LACK_OF_GOODS: Final = ("sellerGoodsLack", "缺货", "无货", "out of stock")
"""Close reasons (documented upstream) and words of refund reasons (inferred) that tell of goods that do not come."""


def wanted_follow_ups(
    order: Order, policy: Policy, plan: StandingPlan = NO_PLAN, approved: int | None = None
) -> tuple[Wanted, ...]:
    """Return the follow-ups that the order calls for, each once. `approved`: persons approved a total up to this."""
    view = order.view
    if order.key.platform not in policy.platforms:
        return ()
    if view.refresh_after is not None:
        return (Wanted(Effect.REFRESH, SYNC, not_before=view.refresh_after),)
    return (
        *wanted_payments(order, policy, plan, approved),
        *wanted_handover(order, policy, plan),
        *_wanted_searches(order, policy, plan),
    )


def lacks_goods(order: Order) -> bool:
    """Tell whether the seller is known not to deliver: it closed the order, or a refund was made, for lack of goods."""
    view = order.view
    reasons = [view.lifecycle.close_reason if view.lifecycle else None, *(refund.reason for refund in view.refunds)]
    return any(word in reason for reason in reasons if reason is not None for word in _LACK_OF_GOODS)


def _wanted_searches(order: Order, policy: Policy, plan: StandingPlan) -> Iterator[Wanted]:
    """Yield a search per line with a picture, for orders whose goods do not come or have become too dear."""
    if not policy.find_substitutes:
        return
    view = order.view
    closed = view.status is OrderStatus.CLOSED and lacks_goods(order)
    dear = view.status is OrderStatus.AWAITING_PAYMENT and price_rose(order, policy, plan)
    if closed or dear:
        for line in [line for line in view.lines if line.image_url][:MAX_SEARCHES]:
            yield Wanted(Effect.FIND_SUBSTITUTES, line.line_id)
