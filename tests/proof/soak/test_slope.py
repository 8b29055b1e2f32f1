"""The slope: exact where the series is, robust where it is not, and honest about what it cannot say."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proof.soak.slope import BLOCK_S, FEWEST_BLOCKS, HOUR_S, Point, block_medians, growth

MINUTES = 45


def series(per_hour: float, noise: float = 0.0, seed: int = 1, every_s: float = 10.0) -> list[Point]:
    rng = random.Random(seed)  # noqa: S311 - noise of a test
    count = int(MINUTES * 60 / every_s)
    return [
        (place * every_s, 100 + per_hour * place * every_s / HOUR_S + rng.gauss(0, noise)) for place in range(count)
    ]


@pytest.mark.parametrize("per_hour", [-12.0, 0.0, 0.5, 30.0])
def test_of_a_straight_line_it_is_the_line_s(per_hour: float) -> None:
    found = growth(series(per_hour))
    assert found is not None
    assert [found.per_hour, found.low, found.high] == pytest.approx([per_hour] * 3, abs=1e-6)
    assert found.blocks == MINUTES


@pytest.mark.parametrize("seed", range(20))
def test_noise_widens_the_interval_around_the_truth(seed: int) -> None:
    found = growth(series(6.0, noise=2.0, seed=seed))
    assert found is not None
    assert found.low < found.per_hour < found.high
    assert found.low - 1 < 6.0 < found.high + 1


def test_a_jump_and_outliers_are_not_growth() -> None:
    points = [(at_s, value + (8 if at_s > 300 else 0)) for at_s, value in series(0.0)]
    points[40:50] = [(at_s, 1_000.0) for at_s, _ in points[40:50]]
    found = growth(points)
    assert found is not None
    assert found.per_hour == pytest.approx(0.0)


def test_too_few_blocks_say_nothing() -> None:
    assert growth([]) is None
    short = [point for point in series(50.0) if point[0] < BLOCK_S * (FEWEST_BLOCKS - 1)]
    assert growth(short) is None


def test_a_block_is_told_by_its_medians() -> None:
    points = [(0.0, 1.0), (10.0, 99.0), (20.0, 2.0), (60.0, 7.0), (300.0, 5.0)]
    assert block_medians(points, 60.0) == [(10.0, 2.0), (60.0, 7.0), (300.0, 5.0)]


@given(
    st.lists(st.floats(50, 500), min_size=FEWEST_BLOCKS, max_size=40),
    st.floats(-50, 50),
    st.floats(0.1, 10),
)
def test_it_turns_with_the_series(values: list[float], tilt: float, scale: float) -> None:
    """Add a line, and the slope grows by the line's; take other units, and it is in these units."""
    plain = [(BLOCK_S * (place + 0.5), value) for place, value in enumerate(values)]
    tilted = [(at_s, scale * value + tilt * at_s / HOUR_S) for at_s, value in plain]
    before, after = growth(plain), growth(tilted)
    assert before is not None
    assert after is not None
    assert after.per_hour == pytest.approx(scale * before.per_hour + tilt, rel=1e-6, abs=1e-3)
    assert after.low <= after.per_hour <= after.high
