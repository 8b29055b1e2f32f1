"""What intake measures, and when each figure hurts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

CALLBACKS = Counter(
    "ordersync_callbacks_total",
    "Callbacks by what became of them. Rising not_durable: both Kafka and Postgres are away and senders are told 503.",
    ["account", "outcome"],
)
CALLBACK_SECONDS = Histogram(
    "ordersync_callback_seconds",
    "Time to answer a callback. Near 1 s the marketplace gives up and comes again half an hour later.",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 0.9),
)
SPOOLED = Counter("ordersync_spooled_total", "Events that went to the spool because Kafka did not confirm in time.")
SPOOL_WAITING = Gauge("ordersync_spool_waiting", "Events in the spool. Not falling: Kafka is away, or nothing drains.")
SPOOL_DRAINED = Counter("ordersync_spool_drained_total", "Events that went from the spool to Kafka.")
PLANS = Counter(
    "ordersync_plans_total",
    "Plans off Kafka by what became of them. Rising dead_letter: a sender writes what is no plan; see its alert.",
    ["outcome"],
)
POLLED_PAGES = Counter("ordersync_polled_pages_total", "List pages read.", ["account", "stream"])
POLLED_ROWS = Counter("ordersync_polled_rows_total", "List rows published as facts.", ["account", "stream"])
POLL_FAILURES = Counter(
    "ordersync_poll_failures_total", "Polls that ended in an error.", ["account", "stream", "error"]
)
POLL_PROGRESS = Gauge(
    "ordersync_poll_position_timestamp_seconds",
    "Up to when the stream has been read. Falling behind the clock: changes without a callback arrive late.",
    ["account", "stream"],
)
BACKFILL_LEFT = Gauge(
    "ordersync_backfill_left_seconds",
    "How much of the past is still to be read, in seconds of modification time. Not falling: it stands still.",
    ["account", "stream"],
)
