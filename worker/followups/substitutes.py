"""Substitute sourcing: articles that look like the one that a seller does not deliver, told in an alert."""

from __future__ import annotations

import random
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.alerts import substitutes_alert
from worker.domain.clock import Clock, to_datetime
from worker.domain.effects import EffectState
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
        image_url = image_of(held)
        if image_url is None:
            await self._give_back(held, "the line has no picture to search by", for_good=True)
            return
        try:
            offers = await self._marketplace.find_similar(image_url, MAX_OFFERS)
        except MarketplaceError as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            await self._give_back(held, reason, for_good=held.failures + 1 >= GIVE_UP_AFTER)
            return
        async with transaction(self._engine) as connection:
            if offers:
                alert = substitutes_alert(held.key, held.purpose, [shown(offer) for offer in offers[:MAX_OFFERS]])
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


def image_of(held: Claim) -> str | None:
    """Return the picture of the line that this claim is about."""
    lines = Order.of(held.key, held.evidence).view.lines
    return next((line.image_url for line in lines if line.line_id == held.purpose), None)


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
