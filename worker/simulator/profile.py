"""What kind of run a seed is: how many machines and orders, how nasty the marketplace, which faults at what rate.

Each seed leaves out about half of the kinds of fault and turns the others up or down: mixes that nobody would think of
come up, and a fault that hides another one is absent often enough.
"""

from __future__ import annotations

import random

import msgspec

RATES = {
    # per commit
    "crash before commit": 0.004,
    "crash after commit": 0.004,
    "connection lost before commit": 0.006,
    "connection lost after commit": 0.006,
    # per request or answer
    "slow database": 0.004,
    "notification lost": 0.2,
    # per call
    "no connection": 0.03,
    "crash before call": 0.01,
    "crash after call": 0.03,
    "answer lost": 0.05,
    "slow network": 0.03,
    "stale read": 0.08,
    "callback not connected": 0.05,
    "callback answer lost": 0.05,
    # per piece of news
    "misleading callback": 0.05,
    # per decision of a person, per plan, and per look of the operators, every 3 s
    "decided twice": 0.2,
    "plan sent twice": 0.3,
    "effects paused": 0.04,
    # per paid order and second
    "refund asked": 0.02,
    # per batch sent or committed
    "send refused": 0.01,
    "send late": 0.04,
    "confirmation lost": 0.01,
    "commit failed": 0.05,
    "crash before offsets": 0.01,
    "crash after offsets": 0.01,
    # per heartbeat of a consumer, every 3 s
    "rebalance": 0.02,
    # per look of the demon, every 2 s
    "crash": 0.01,
    "freeze": 0.015,
    "presence lost": 0.02,
    "kafka away": 0.01,
    "database away": 0.006,
}
LEVELS = ("none", "usual", "hostile")
SHARE_OF_KINDS = 0.6
"""Of the kinds of fault, so many happen in a run."""


class Profile(msgspec.Struct, frozen=True):
    """One seed's run. Times are virtual seconds."""

    seed: int
    machines: int
    orders: int
    waves: int
    trouble_s: float
    level: str
    lost_callbacks: float
    speed: float
    rates: dict[str, float]
    lists_only: bool
    """Nothing is told by callbacks, and nobody sweeps: what the lists tell has to be enough."""
    list_lag_s: float = 0.0
    """A change appears in the lists this much later (less than the overlap of the polls)."""
    settle_s: float = 3.0
    """Money that was taken is shown as unpaid for at most this long: the temptation to pay again."""
    arrival_s: float = 15.0
    daily_budget: str | None = None
    attempts: int = 1
    """Calls of one payment: 2 where reads may prove that the first one did not happen."""
    dialect: str = "pandapon"
    followed: bool = False
    """Orders are followed to the end: the warehouse is told, the receipt confirmed, the way abroad booked."""
    limit: str = "3000.00"
    """What is paid without a person; `four_eyes_above`: what takes two."""
    four_eyes_above: str | None = None
    freight_limit: str = "60.00"
    planned: float = 0.0
    """Share of the orders that another system has a plan for."""
    unpaid_s: float = 60.0
    """After so long the platform closes an order that nobody paid."""
    unknowns: int = 0
    """So many unknowns at once pull the kill switch; 0: never."""


def profile_of(seed: int) -> Profile:
    """Return the run of a seed."""
    rng = random.Random(f"profile:{seed}")  # noqa: S311 - dice, not secrets
    rates = {
        kind: rate * rng.choice((0.5, 1.0, 1.0, 3.0)) for kind, rate in RATES.items() if rng.random() < SHARE_OF_KINDS
    }
    dialect = rng.choice(("pandapon", "pandapon", "pandapon", "alibaba1688"))
    followed = dialect == "pandapon" and rng.random() < 0.45  # noqa: PLR2004 - a share
    lists_only = dialect == "pandapon" and not followed and rng.random() < 0.2  # noqa: PLR2004 - a share
    return Profile(
        seed=seed,
        machines=rng.choice((1, 2, 2, 3)),
        orders=rng.randint(2, 4),
        waves=rng.choice((1, 1, 1, 1, 1, 2)),
        trouble_s=rng.uniform(25.0, 60.0)
        if followed
        else rng.uniform(*rng.choice(((8.0, 25.0), (8.0, 25.0), (20.0, 70.0)))),
        unpaid_s=rng.choice((40.0, 60.0)),
        level=rng.choice(LEVELS),
        lost_callbacks=1.0 if lists_only else rng.choice((0.0, 0.05, 0.3)),
        speed=60_000.0 if followed else rng.choice((8_000.0, 20_000.0)),
        rates=rates,
        lists_only=lists_only,
        list_lag_s=rng.uniform(0.0, 10.0) if lists_only else 0.0,
        settle_s=rng.choice((3.0, 15.0)),
        arrival_s=rng.choice((0.0, 3.0) if followed else (0.0, 15.0)),
        daily_budget=rng.choice((None, "800.00", "3000.00")),
        attempts=rng.choice((1, 2)),
        dialect=dialect,
        followed=followed,
        limit=rng.choice(("3000.00", "250.00")),
        four_eyes_above=rng.choice((None, "400.00")),
        freight_limit=rng.choice(("60.00", "34.00")),
        planned=rng.choice((0.0, 0.3, 0.8)),
        unknowns=rng.choice((0, 0, 1)),
    )
