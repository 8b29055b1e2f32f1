"""Substitute sourcing: articles that look like the one that a seller does not deliver, told in an alert."""

from __future__ import annotations

import random
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.alerts import substitutes_alert
from worker.domain.clock import Clock, to_datetime
from worker.domain.effects import EffectState
from worker.domain.facts import Line
from worker.domain.policy import Effect
from worker.domain.reducer import Order
from worker.followups.backoff import pause
from worker.followups.metrics import FOLLOW_UPS
from worker.marketplaces.port import Marketplace, MarketplaceError, Offer
from worker.storage import alert_store, follow_up_claims
from worker.storage.engine import transaction
from worker.storage.follow_up_claims import Claim
from worker.storage.wakeup import Work, notify

MAX_OFFERS = 5
GIVE_UP_AFTER = 6
"""A search is a help, not a duty."""

_log = structlog.get_logger()


class Substitutes:
    """Executes `find_substitutes` follow-ups; the purpose is the line's id. Nothing is bought."""

    def __init__(self, marketplace: Marketplace, engine: AsyncEngine, clock: Clock, jitter: random.Random) -> None:
        self._marketplace = marketplace
        self._engine = engine
        self._clock = clock
        self._jitter = jitter

    async def __call__(self, held: Claim) -> None:
        """Search once by the line's picture."""
        asked_at = self._clock.now_ms()
        line = line_of(held)
        if line is None or line.image_url is None:
            await self._give_back(held, "the line has no picture to search by", for_good=True)
            return
        try:
            offers = await self._marketplace.find_similar(line.image_url, MAX_OFFERS + 1)
        except MarketplaceError as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            await self._give_back(held, reason, for_good=held.failures + 1 >= GIVE_UP_AFTER)
            return
        others = [shown(offer) for offer in offers if not is_itself(offer, line)][:MAX_OFFERS]
        async with transaction(self._engine) as connection:
            if others:
                alert = substitutes_alert(held.key, held.purpose, others)
                await alert_store.open_alerts(connection, [alert], {held.key: held.order_ref}, {})
            await follow_up_claims.finish_read(connection, held, to_datetime(asked_at))
            await notify(connection, Work.ALERTS)
        FOLLOW_UPS.labels(Effect.FIND_SUBSTITUTES.value, "succeeded").inc()

    async def _give_back(self, held: Claim, reason: str, *, for_good: bool) -> None:
        _log.warning("no substitutes found", order=str(held.key), line=held.purpose, reason=reason)
        state = EffectState.REJECTED if for_good else EffectState.PLANNED
        rest = pause(held.failures, self._jitter)
        async with transaction(self._engine) as connection:
            await follow_up_claims.release(connection, held, state=state, reason=reason, pause=rest, failed=True)
        FOLLOW_UPS.labels(Effect.FIND_SUBSTITUTES.value, "rejected" if for_good else "failed").inc()


def line_of(held: Claim) -> Line | None:
    """Return the line that this claim is about."""
    lines = Order.of(held.key, held.evidence).view.lines
    return next((line for line in lines if line.line_id == held.purpose), None)


def is_itself(offer: Offer, line: Line) -> bool:
    """Tell whether an offer is the article that does not come: a search by its picture finds it first.

    Some answers name offers by ids of their own; then the picture tells.
    """
    return offer.offer_id == line.product_id or offer.image_url == line.image_url


def shown(offer: Offer) -> dict[str, Any]:
    """Return an offer as it stands in the alert's details."""
    return {
        "offer_id": offer.offer_id,
        "title": offer.title[:200],
        "price_minor": offer.price,
        "sold_monthly": offer.sold_monthly,
        "repurchase_rate": offer.repurchase_rate,
        "image_url": offer.image_url,
    }
