"""What follow-ups measure, and when each figure hurts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

FOLLOW_UPS = Counter(
    "ordersync_follow_ups_total",
    "Follow-ups by effect and what became of the attempt. Rising unclear: answers of payments are being lost.",
    ["effect", "outcome"],
)
PART_READS = Counter(
    "ordersync_part_reads_total",
    "Reads of an order's logistics or of one refund. Rising errors: signed parcels are seen late.",
    ["part", "outcome"],
)
IN_FLIGHT = Gauge("ordersync_follow_ups_in_flight", "Follow-ups an executor is working on.", ["account", "effect"])
READ_SECONDS = Histogram(
    "ordersync_read_seconds", "Time of a fresh read of one order, retries included.", buckets=(0.05, 0.2, 0.5, 1, 3, 10)
)
EXPIRED = Counter("ordersync_expired_calls_total", "Calls whose worker died before it recorded the answer.")
STOPPED = Counter(
    "ordersync_stopped_accounts_total",
    "Times an account's effects were stopped by themselves. Not zero: look.",
    ["account"],
)
CLEARED = Counter(
    "ordersync_second_attempts_total",
    "Calls of which reads proved for long enough that nothing had happened, so that they may go again.",
    ["account"],
)
SWEPT = Counter("ordersync_swept_total", "Reads planned because an order had not been read for too long.", ["account"])
SWEEP_OLDEST = Gauge(
    "ordersync_oldest_read_seconds",
    "Age of the longest unread order that is not over. Above a day: the sweep does not keep up.",
    ["account"],
)
