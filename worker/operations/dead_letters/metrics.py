"""What is measured of dead letters, and when each figure hurts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

OPEN = Gauge(
    "ordersync_dead_letters_open",
    "Dead letters that wait for a person, of the largest causes; all others are `other`. Any is one too many.",
    ["fingerprint"],
)
GROUPS = Gauge("ordersync_dead_letter_groups", "Causes with open dead letters. Rising: several things are wrong.")
OLDEST = Gauge(
    "ordersync_dead_letter_oldest_seconds",
    "Age of the oldest open dead letter, 0 without any. Growing for a day: nobody looks, and an alert says so.",
)
REPLAYS_SENT = Counter("ordersync_dead_letter_replays_sent_total", "Dead letters that were sent again.")
