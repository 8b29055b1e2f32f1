"""What outbound measures, and when each figure hurts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

PUBLISHED = Counter("ordersync_changes_published_total", "Changes published, by type.", ["type"])
OUTBOX_WAITING = Gauge("ordersync_outbox_waiting", "Changes that wait to be published.")
OUTBOX_OLDEST = Gauge(
    "ordersync_outbox_oldest_seconds", "Age of the oldest waiting change. Rising: consumers see the past."
)
