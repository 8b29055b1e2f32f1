"""What the marketplace's side sees of the workers: how long answers take, and how often it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proof.soak.exposition import Classes, quantile, since
from proof.soak.record import Values

OVER = ("success", "cancel")
_UNANSWERED = "none"


class SenderMeter:
    """Compares the sandbox's counters with those of the last look."""

    def __init__(self) -> None:
        self._answers: Classes = {}
        self._counted: dict[str, tuple[float, float]] = {}

    def read(self, stats: Mapping[str, Any], at_s: float) -> Values:
        """Return what happened since the last look, from `/_sandbox/stats`."""
        answers = {_bound(name): float(count) for name, count in stats["callback_answers_ms"].items()}
        fresh, self._answers = since(self._answers, answers), answers
        by_status = stats["orders_by_status"]
        return {
            "callback_p50_ms": quantile(fresh, 0.5),
            "callback_p99_ms": quantile(fresh, 0.99),
            "callbacks_per_s": self._rate("callbacks", stats["callbacks_sent"], at_s),
            "calls_per_s": self._rate("calls", sum(stats["calls"].values()), at_s),
            "orders": stats["orders"],
            "orders_over": float(sum(by_status.get(word, 0) for word in OVER)),
        }

    def _rate(self, name: str, count: float, at_s: float) -> float | None:
        """Return the growth of a counter per second since the last look; None at the first."""
        before, self._counted[name] = self._counted.get(name), (at_s, count)
        if before is None or at_s <= before[0]:
            return None
        return (count - before[1]) / (at_s - before[0])


def _bound(name: str) -> float:
    """An attempt that got no answer in time took longer than any bound."""
    return float("inf") if name == _UNANSWERED else float(name)
