"""What the chart of a soak shows."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One line of a panel: a series of the record in the panel's unit."""

    series: str
    label: str


class Panel(msgspec.Struct, frozen=True):
    """One small diagram."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    judged: bool = False
    """Whether the warm-up is shaded, since what follows it is judged."""


PANELS = (
    Panel(
        "Private memory of the workers",
        "MiB",
        (Line("steady.private_mib", "never restarted"), Line("restarted.private_mib", "killed now and then")),
        judged=True,
    ),
    Panel(
        "Open files and sockets",
        "count",
        (Line("steady.open_files", "never restarted"), Line("restarted.open_files", "killed now and then")),
        judged=True,
    ),
    Panel(
        "Connections to Postgres",
        "count",
        (Line("steady.connections", "never restarted"), Line("restarted.connections", "killed now and then")),
        judged=True,
    ),
    Panel("Consumer lag, as the broker sees it", "records", (Line("lag_records", "all partitions"),)),
    Panel(
        "Callbacks: time to the answer, at the sender",
        "ms",
        (Line("callback_p50_ms", "median"), Line("callback_p99_ms", "99 of 100")),
    ),
    Panel(
        "From a fact to its commit, and changes that wait",
        "s",
        (Line("freshness_s", "oldest fact of a batch"), Line("outbox_oldest_s", "oldest waiting change")),
    ),
    Panel(
        "Load", "each second", (Line("calls_per_s", "calls to the marketplace"), Line("callbacks_per_s", "callbacks"))
    ),
    Panel(
        "What grows by design",
        "MiB",
        (Line("database_mib", "Postgres, all tables"), Line("sandbox_mib", "the sandbox, which keeps all orders")),
    ),
)
