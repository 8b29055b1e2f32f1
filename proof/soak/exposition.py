"""Reads what a worker tells at `/metrics`, and quantiles out of counts by class."""

from __future__ import annotations

import math
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

Classes = dict[float, float]
"""How many observations fell into each class, by its upper bound."""


class Exposition:
    """One answer of `/metrics`."""

    def __init__(self, text: str) -> None:
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(self, name: str) -> float | None:
        """Return the sum over all labels; None if the metric is not there."""
        values = [sample.value for sample in self._samples if sample.name == name]
        return sum(values) if values else None

    def classes(self, name: str) -> Classes:
        """Return a histogram: Prometheus counts each class with all below it, we do not."""
        cumulative: Classes = {}
        for sample in self._samples:
            if sample.name == f"{name}_bucket":
                bound = float(sample.labels["le"])
                cumulative[bound] = cumulative.get(bound, 0.0) + sample.value
        below = 0.0
        found: Classes = {}
        for bound, count in sorted(cumulative.items()):
            found[bound], below = count - below, count
        return found


def since(before: Mapping[float, float], now: Mapping[float, float]) -> Classes:
    """Return what was counted between two looks; a process that was started again counts from nothing."""
    if any(now.get(bound, 0.0) < count for bound, count in before.items()):
        return dict(now)
    return {bound: count - before.get(bound, 0.0) for bound, count in now.items()}


def quantile(classes: Mapping[float, float], share: float) -> float | None:
    """Return the value below which `share` of the observations lie, in the bounds' unit; None without observations.

    Within a class they are taken as evenly spread, as Prometheus does. Beyond the last finite bound it is that bound.
    """
    total = sum(classes.values())
    if total <= 0:
        return None
    wanted, seen, lower = share * total, 0.0, 0.0
    for bound, count in sorted(classes.items()):
        if seen + count >= wanted and count > 0:
            return lower if math.isinf(bound) else lower + (bound - lower) * (wanted - seen) / count
        seen, lower = seen + count, lower if math.isinf(bound) else bound
    return lower
