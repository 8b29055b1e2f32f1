"""Deliberate bugs in what is done at the marketplace, and in what people and plans have to say about it."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import text

from tests.simulator.mutant import Mutant, Patch, without
from worker.domain import approvals, handover
from worker.domain.approvals import Approval
from worker.domain.policy import Decision, Verdict
from worker.domain.view import View
from worker.followups.actions import booking as booking_module
from worker.followups.actions.booking import BookInternational
from worker.followups.perform import Judged
from worker.marketplaces.port import EffectAnswer, EffectOutcome
from worker.storage import decision_store, follow_up_recovery, follow_up_sending
from worker.storage.follow_up_claims import IS_PAUSED


def booking_retried_without_looking(patch: Patch) -> None:
    """A booking without a clear answer is previewed and booked once more."""
    honest = BookInternational.judge

    async def judge(self: BookInternational, held: Any) -> Judged:
        judged = await honest(self, held)
        if judged.call is None:
            return judged
        first, again = judged.call, await honest(self, held)

        async def call(attempt: int) -> EffectAnswer:
            answer = await first(attempt)
            if answer.outcome is EffectOutcome.UNCLEAR and again.call is not None:
                return await again.call(attempt)
            return answer

        return msgspec.structs.replace(judged, call=call)

    patch.setattr(BookInternational, "judge", judge)


def freight_at_any_price(patch: Patch) -> None:
    """Nobody holds the previewed price against the limit."""

    def decide(amount: int, *_: Any) -> Decision:
        return Decision(Verdict.PROCEED, "whatever it costs", amount)

    patch.setattr(booking_module, "decide_freight", decide)


def receipt_without_looking_at_refunds(patch: Patch) -> None:
    """Money that is asked back is released to the seller."""
    patch.setattr(View, "open_refunds", property(lambda _: ()))
    without(
        patch,
        follow_up_sending,
        "_BEGIN",
        "u.status NOT IN ('succeeded', 'closed')",
        "false",
    )


def receipt_before_the_goods(patch: Patch) -> None:
    """What was shipped counts as received."""
    patch.setattr(handover, "have_arrived", lambda *_: True)


def approval_used_twice(patch: Patch) -> None:
    """What was approved before a rejection counts again when it is asked for once more."""

    async def counting(connection: Any, follow_up_id: int) -> list[Approval]:
        given = await connection.execute(text(_ALL_APPROVALS), {"id": follow_up_id})
        return [Approval(row.actor, row.amount_minor) for row in given]

    patch.setattr(decision_store, "counting", counting)


_ALL_APPROVALS = "SELECT actor, amount_minor FROM approvals WHERE follow_up_id = :id AND decision = 'approve'"


def one_word_is_enough(patch: Patch) -> None:
    """Above the limit for one person, one person is enough."""
    patch.setattr(approvals, "needed", lambda *_: 1)


def pause_not_looked_at_at_the_begin(patch: Patch) -> None:
    """Only whoever claims a follow-up looks at the switch, not whoever begins the call."""
    without(patch, follow_up_sending, "_BEGIN", f"AND NOT {IS_PAUSED.format(row='f')}")


def plan_version_ignored(patch: Patch) -> None:
    """What was judged by one plan is begun under the next."""
    without(patch, follow_up_sending, "_BEGIN", "AND coalesce(p.version, 0) = a.plan_version")


def cleared_too_soon(patch: Patch) -> None:
    """Reads count as proof at once: a marketplace that lags is believed."""
    quiet = "AND f.not_done_at >= f.unknown_since + make_interval(secs => CAST(:quiet_s AS double precision))"
    without(patch, follow_up_recovery, "_CLEAR_PROVEN", quiet, "AND CAST(:quiet_s AS double precision) > 0")


FOLLOWED = {
    "dialect": "pandapon",
    "followed": True,
    "lists_only": False,
    "waves": 1,
    "speed": 60_000.0,
    "trouble_s": 45.0,
    "arrival_s": 0.0,
    "machines": 2,
    "unpaid_s": 60.0,
    "limit": "3000.00",
    "daily_budget": None,
    "lost_callbacks": 0.0,
    "orders": 4,
    "unknowns": 0,
}
ASKING = FOLLOWED | {"followed": False, "limit": "1.00", "four_eyes_above": "2.00", "unpaid_s": 60.0, "planned": 0.0}
HIDDEN = FOLLOWED | {
    "followed": False,
    "attempts": 2,
    "settle_s": 24.0,
    "level": "none",
    "machines": 3,
    "limit": "9000.00",
}
"""Money that was taken hides for as long as the rule for second attempts just bears, and several workers look at it."""
CALM = {"crash before call": 0.0, "crash after call": 0.0, "crash": 0.0, "freeze": 0.0, "kafka away": 0.0}
SLOW = CALM | {"slow network": 0.4}

EFFECT_MUTANTS = (
    Mutant(freight_at_any_price, FOLLOWED | {"freight_limit": "31.00"}),
    Mutant(one_word_is_enough, ASKING, CALM),
    Mutant(approval_used_twice, ASKING, CALM),
    Mutant(plan_version_ignored, FOLLOWED | {"planned": 1.0, "orders": 6, "level": "none"}, SLOW),
    Mutant(pause_not_looked_at_at_the_begin, FOLLOWED, SLOW | {"effects paused": 0.9}),
    Mutant(
        booking_retried_without_looking, FOLLOWED | {"level": "none", "trouble_s": 120.0}, CALM | {"answer lost": 0.4}
    ),
    Mutant(receipt_without_looking_at_refunds, FOLLOWED, CALM | {"refund asked": 0.2}),
    Mutant(receipt_before_the_goods, FOLLOWED | {"speed": 8_000.0}, CALM),
    Mutant(cleared_too_soon, HIDDEN, CALM | {"answer lost": 0.6, "stale read": 0.0}),
)
"""Each is found within the bound."""
