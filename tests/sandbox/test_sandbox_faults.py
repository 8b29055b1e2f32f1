"""Faults: bounded, by seed, and exactly as bad as they say."""

from __future__ import annotations

import pytest

from tests.sandbox.stage import Stage, always
from worker.sandbox.faults import LEVELS, MAX_IN_A_ROW, CallFaults, Fault
from worker.sandbox.order import Order

LATE = (Fault.LATE_ERROR, Fault.LATE_REFUSAL, Fault.LATE_DROP, Fault.LATE_HANG)
EARLY = (Fault.ERROR, Fault.THROTTLED, Fault.THROTTLED_429, Fault.DROPPED)


@pytest.fixture
def hostile_to_all(request: pytest.FixtureRequest) -> Stage:
    stage = Stage(orders=20, agreement_share=1.0)
    stage.sandbox.faults = CallFaults(1, always(request.param))
    stage.begin()
    return stage


def first_unpaid(stage: Stage) -> Order:
    return next(order for order in stage.orders if order.payable)


async def outcome(stage: Stage, order: Order) -> object:
    """What the caller of a payment learns: HTTP status, envelope code, or nothing at all."""
    try:
        answer = await stage.client.get(
            "/alibaba/order/pay/url", params={"orderId": order.order_id}, headers=stage.headers()
        )
    except ConnectionResetError:
        return "no answer"
    return answer.json()["code"] if answer.status_code == 200 else answer.status_code


@pytest.mark.parametrize(
    ("hostile_to_all", "learnt"),
    [
        (Fault.LATE_ERROR, 504),
        (Fault.LATE_REFUSAL, 50010),
        (Fault.LATE_DROP, "no answer"),
        (Fault.LATE_HANG, "no answer"),
    ],
    indirect=["hostile_to_all"],
)
async def test_a_late_fault_hides_a_payment_that_was_taken(hostile_to_all: Stage, learnt: object) -> None:
    order = first_unpaid(hostile_to_all)
    assert await outcome(hostile_to_all, order) == learnt
    assert [payment.order_id for payment in hostile_to_all.sandbox.world.ledger] == [order.order_id]


@pytest.mark.parametrize("hostile_to_all", [Fault.LATE_HANG], indirect=True)
async def test_a_hanging_answer_keeps_its_caller_waiting(hostile_to_all: Stage) -> None:
    await outcome(hostile_to_all, first_unpaid(hostile_to_all))
    assert hostile_to_all.slept == [hostile_to_all.sandbox.config.hang_s]


@pytest.mark.parametrize(
    ("hostile_to_all", "learnt"),
    [(Fault.ERROR, 502), (Fault.THROTTLED, 42900), (Fault.THROTTLED_429, 429), (Fault.DROPPED, "no answer")],
    indirect=["hostile_to_all"],
)
async def test_an_early_fault_takes_no_money(hostile_to_all: Stage, learnt: object) -> None:
    order = first_unpaid(hostile_to_all)
    assert await outcome(hostile_to_all, order) == learnt
    assert hostile_to_all.sandbox.world.ledger == []


@pytest.mark.parametrize("hostile_to_all", [Fault.SLOW], indirect=True)
async def test_a_slow_answer_is_right_but_late(hostile_to_all: Stage) -> None:
    assert (await hostile_to_all.detail(first_unpaid(hostile_to_all).order_id))["code"] == 200
    assert len(hostile_to_all.slept) == 1
    assert 0.2 <= hostile_to_all.slept[0] <= 2.0


@pytest.mark.parametrize("hostile_to_all", [Fault.ERROR], indirect=True)
async def test_a_refused_call_meets_no_fault(hostile_to_all: Stage) -> None:
    assert (await hostile_to_all.detail("1", signature="0" * 32))["code"] == 40102


@pytest.mark.parametrize("fault", [*EARLY, *LATE, Fault.SLOW])
def test_after_three_faults_in_a_row_the_next_call_is_clean(fault: Fault) -> None:
    faults = CallFaults(1, always(fault))
    fates = [faults.draw("1688.order.detail", "1", effect=False).fault is Fault.NONE for _ in range(12)]
    assert fates == ([False] * MAX_IN_A_ROW + [True]) * 3


def test_the_nth_call_of_an_order_has_the_same_fate_in_every_run() -> None:
    one, other = CallFaults(9, LEVELS["hostile"]), CallFaults(9, LEVELS["hostile"])
    fates = {key: [one.draw("1688.order.pay", key, effect=True) for _ in range(50)] for key in ("1", "2")}
    mixed = {key: [other.draw("1688.order.pay", key, effect=True) for _ in range(50)] for key in ("2", "1")}
    assert fates == mixed
    assert fates["1"] != fates["2"]


def test_the_level_none_is_faultless_and_every_level_only_spoils_what_it_says() -> None:
    clean = CallFaults(1, LEVELS["none"])
    assert {clean.draw("1688.order.pay", str(n), effect=True).fault for n in range(500)} == {Fault.NONE}
    for name in ("usual", "hostile"):
        level = LEVELS[name]
        assert sum(share for _, share in level.effects) < 0.5
        assert all(fault not in LATE for fault, _ in level.reads)
        drawn = CallFaults(1, level)
        seen = {drawn.draw("1688.order.pay", str(n), effect=True).fault for n in range(3_000)}
        assert seen == {Fault.NONE, *(fault for fault, _ in level.effects)}
