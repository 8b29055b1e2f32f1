"""Reading /metrics, and quantiles out of classes."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.soak.exposition import Exposition, quantile, since

TEXT = """
# HELP ordersync_kafka_lag_records Records that wait.
# TYPE ordersync_kafka_lag_records gauge
ordersync_kafka_lag_records{partition="a/0"} 3.0
ordersync_kafka_lag_records{partition="a/1"} 4.0
# HELP took Time.
# TYPE took histogram
took_bucket{le="0.1"} 2.0
took_bucket{le="1.0"} 5.0
took_bucket{le="+Inf"} 6.0
took_count 6.0
took_sum 9.0
"""


def test_values_are_added_over_labels_and_classes_stand_alone() -> None:
    told = Exposition(TEXT)
    assert told.total("ordersync_kafka_lag_records") == 7.0
    assert told.total("something_else") is None
    assert told.classes("took") == {0.1: 2.0, 1.0: 3.0, math.inf: 1.0}


def test_the_names_that_we_read_are_the_worker_s() -> None:
    """In a process of its own: metrics are registered once per process."""
    code = "import worker.reconcile.metrics; from prometheus_client import generate_latest as g; print(g().decode())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    told = Exposition(done.stdout)
    assert told.total("ordersync_reconcile_freshness_seconds") == 0.0
    assert told.classes("ordersync_batch_seconds")


def test_only_what_came_since_the_last_look_counts() -> None:
    assert since({1.0: 5.0, 2.0: 1.0}, {1.0: 7.0, 2.0: 1.0, 3.0: 4.0}) == {1.0: 2.0, 2.0: 0.0, 3.0: 4.0}


def test_a_process_that_began_anew_counts_from_nothing() -> None:
    assert since({1.0: 5.0}, {1.0: 2.0}) == {1.0: 2.0}


def test_quantiles_lie_within_their_class() -> None:
    classes = {10.0: 50.0, 20.0: 50.0}
    assert quantile(classes, 0.5) == 10.0
    assert quantile(classes, 0.75) == 15.0
    assert quantile({}, 0.5) is None
    assert quantile({10.0: 1.0, math.inf: 99.0}, 0.99) == 10.0, "beyond the last bound nothing more is known"


@given(
    st.dictionaries(st.sampled_from([1.0, 2.0, 5.0, 10.0, 100.0, math.inf]), st.integers(0, 1_000), min_size=1),
    st.floats(0.01, 0.99),
    st.floats(0.01, 0.99),
)
def test_a_greater_share_never_lies_lower(classes: dict[float, int], one: float, two: float) -> None:
    low, high = (quantile(classes, share) for share in sorted((one, two)))
    if low is None or high is None:
        assert not sum(classes.values())
    else:
        assert low <= high + 1e-9


def test_quantiles_are_near_those_of_the_observations() -> None:
    bounds = [2.0, 5.0, 10.0, 20.0, 50.0]
    values = [value / 10 for value in range(1, 500)]
    classes = dict.fromkeys(bounds, 0.0)
    for value in values:
        classes[next(bound for bound in bounds if value <= bound)] += 1
    assert quantile(classes, 0.5) == pytest.approx(25.0, rel=0.05)
