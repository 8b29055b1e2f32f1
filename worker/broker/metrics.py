"""What the way through Kafka measures, and when each figure hurts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

COMMIT_FAILURES = Counter(
    "ordersync_kafka_commit_failures_total",
    "Offsets that could not be committed. Harmless once (the batch comes again); rising: the group is not stable.",
)
REBALANCES = Counter("ordersync_kafka_rebalances_total", "Times the group's partitions were dealt anew.")
LAG = Gauge("ordersync_kafka_lag_records", "Records that wait in an assigned partition.", ["partition"])
