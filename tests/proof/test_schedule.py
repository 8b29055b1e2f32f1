"""The schedule of faults: the seed alone decides it, lanes do not step on themselves, everything gets its turn."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from proof.chaos.faults import FAULTS, KINDS
from proof.chaos.faults.workers import Zombie
from proof.chaos.schedule import BEGINS_AFTER_S, Lane, Planned, plan
from worker.followups.executor import LEASE_S

seeds = st.integers(0, 1_000_000)
lengths = st.floats(0, 1_200)


@given(seeds, lengths, st.sampled_from([1, 3]))
def test_the_same_seed_plans_the_same_faults(seed: int, seconds: float, brokers: int) -> None:
    planned = plan(KINDS, seed=seed, seconds=seconds, brokers=brokers)
    assert planned == plan(KINDS, seed=seed, seconds=seconds, brokers=brokers)
    assert [one.number for one in planned] == list(range(1, len(planned) + 1))


@given(seeds, lengths, st.sampled_from([1, 3]))
def test_faults_have_their_length_and_end_before_the_next_of_their_lane(
    seed: int, seconds: float, brokers: int
) -> None:
    planned = plan(KINDS, seed=seed, seconds=seconds, brokers=brokers)
    for one in planned:
        least, most = FAULTS[one.kind].kind.lasts_s
        assert least - 0.1 <= one.lasts_s <= most + 0.1
        assert one.at_s >= BEGINS_AFTER_S
        assert one.at_s + one.lasts_s <= seconds + 0.2
    for lane in Lane:
        for one, following in pairwise(other for other in planned if other.lane is lane):
            assert one.at_s + one.lasts_s < following.at_s


@given(seeds)
def test_ten_minutes_have_room_for_every_kind(seed: int) -> None:
    planned = plan(KINDS, seed=seed, seconds=600, brokers=3)
    assert {one.kind for one in planned} == set(FAULTS)


@given(seeds)
def test_one_broker_has_no_leader_to_lose(seed: int) -> None:
    kinds = Counter(one.kind for one in plan(KINDS, seed=seed, seconds=600, brokers=1))
    assert kinds["partition leader killed (-9)"] == 0
    assert kinds["broker killed (-9)"] > 0


def test_seeds_differ() -> None:
    assert plan(KINDS, seed=1, seconds=300, brokers=3) != plan(KINDS, seed=2, seconds=300, brokers=3)


def test_a_zombie_sleeps_longer_than_its_lease() -> None:
    assert Zombie.kind.lasts_s[0] > LEASE_S


@given(st.floats(0, 1), st.integers(1, 9))
def test_the_dice_choose_one_of_those_there_are(dice: float, count: int) -> None:
    assert 0 <= Planned(1, "any", Lane.PARTS, 0, 0, dice).pick(count) < count
