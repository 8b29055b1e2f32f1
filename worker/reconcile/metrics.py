"""What reconcile measures, and when each figure hurts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

FACTS = Counter(
    "ordersync_facts_total",
    "Facts by kind and outcome. Many conflicts: a marketplace speaks words we do not know.",
    ["kind", "outcome"],
)
DEAD_LETTERS = Counter(
    "ordersync_dead_letters_total", "Records set aside, by reason. Any rise wants a look.", ["reason"]
)
BATCH_RECORDS = Histogram("ordersync_batch_records", "Records per batch.", buckets=(1, 5, 20, 50, 100, 200, 350, 500))
BATCH_SECONDS = Histogram(
    "ordersync_batch_seconds", "Time from a batch to its commit in Postgres.", buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10)
)
BATCH_FAILURES = Counter("ordersync_batch_failures_total", "Batches that were rolled back and came again.", ["error"])
FRESHNESS = Gauge(
    "ordersync_reconcile_freshness_seconds",
    "Age of the oldest fact in the last batch when it was committed. Rising: reconcile cannot keep up.",
)
LAST_COMMIT = Gauge("ordersync_reconcile_last_commit_timestamp_seconds", "When the last batch was committed.")
DRIFT = Counter(
    "ordersync_drift_total",
    "Changes that only a sweep found. Rising: callbacks and lists do not tell what they should.",
    ["account", "aspect"],
)
