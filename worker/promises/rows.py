"""Our own ledger as one document: a single statement, so that everything in it is of one instant.

    document = (await connection.execute(text(LEDGER))).scalar_one()
    ledger = read_ledger(document)

Instants are Unix milliseconds, amounts minor units.
"""

from __future__ import annotations

from typing import Any

import msgspec

_TABLES = {
    "follow_ups": """
        SELECT f.id, f.account, o.order_id, f.effect, f.purpose, f.state, f.reason, f.attempts, f.amount_minor,
            f.approved_minor, f.requested_by, f.reference, f.cleared
        FROM follow_ups f JOIN orders o ON o.id = f.order_ref WHERE f.effect NOT IN ('refresh', 'find_substitutes')
        ORDER BY f.id
    """,
    "attempts": """
        SELECT a.id, a.follow_up_id, a.amount_minor, a.outcome, {ms:a.sent_at} AS sent_at, a.evidence, a.request,
            CAST(a.claim_token AS text) AS token
        FROM follow_up_attempts a ORDER BY a.id
    """,
    "spendings": """
        SELECT CAST(s.claim_token AS text) AS token, s.follow_up_id, s.account, s.amount_minor,
            {ms:s.spent_at} AS spent_at, s.released_at IS NOT NULL AS released
        FROM spendings s ORDER BY s.spent_at, s.claim_token
    """,
    "approvals": """
        SELECT p.follow_up_id, p.actor, p.decision, p.amount_minor, {ms:p.created_at} AS at FROM approvals p
        ORDER BY p.id
    """,
    "pauses": """
        SELECT h.account, h.effect, {ms:h.created_at} AS opened_at, {ms:h.lifted_at} AS lifted_at, h.automatic
        FROM pauses h ORDER BY h.id
    """,
    "plans": """
        SELECT v.account, v.order_id, v.version, v.content, v.requested_by, {ms:v.created_at} AS put_at
        FROM plan_versions v ORDER BY v.account, v.order_id, v.version
    """,
    "retries": """
        SELECT CAST(split_part(l.subject, ':', 2) AS bigint) AS follow_up_id, l.actor, l.action,
            l.details ->> 'after' AS after, {ms:l.at} AS at
        FROM audit_log l WHERE l.action IN ('retry', 'resolve', 'reject') ORDER BY l.id
    """,
}


def _statement() -> str:
    parts = []
    for name, select in _TABLES.items():
        for piece in select.split("{ms:")[1:]:
            column = piece.partition("}")[0]
            select = select.replace(f"{{ms:{column}}}", f"CAST(extract(epoch FROM {column}) * 1000 AS bigint)")  # noqa: PLW2901
        parts.append(f"'{name}', (SELECT coalesce(json_agg(x), CAST('[]' AS json)) FROM ({select}) x)")  # noqa: S608 - constants
    return f"SELECT CAST(json_build_object({', '.join(parts)}) AS text)"


LEDGER = _statement()


class FollowUp(msgspec.Struct, frozen=True):
    """One effect of one order."""

    id: int
    account: str
    order_id: str
    effect: str
    purpose: str
    state: str
    reason: str | None
    attempts: int
    amount_minor: int | None
    approved_minor: int | None
    requested_by: str | None
    reference: str | None
    cleared: dict[str, Any] | None


class Attempt(msgspec.Struct, frozen=True):
    """One call, as it was written down before it was made. `outcome` None: not ended; `not_sent`: it never left."""

    id: int
    follow_up_id: int
    amount_minor: int | None
    outcome: str | None
    sent_at: int
    evidence: dict[str, Any]
    request: dict[str, Any] | None
    token: str

    @property
    def left(self) -> bool:
        """Tell whether the call may have been made."""
        return self.outcome != "not_sent"

    @property
    def plan_version(self) -> int:
        """Return the version of the plan by which it was judged; 0: there was none."""
        return int(self.evidence.get("plan_version") or 0)


class Spending(msgspec.Struct, frozen=True):
    """What an attempt spends of the budget."""

    token: str
    follow_up_id: int
    account: str
    amount_minor: int
    spent_at: int
    released: bool


class Word(msgspec.Struct, frozen=True):
    """Somebody's approval or rejection."""

    follow_up_id: int
    actor: str
    decision: str
    amount_minor: int | None
    at: int


class Pause(msgspec.Struct, frozen=True):
    """A pull of the kill switch; None covers all."""

    account: str | None
    effect: str | None
    opened_at: int
    lifted_at: int | None
    automatic: bool


class PlanVersion(msgspec.Struct, frozen=True):
    """One version of an order's plan."""

    account: str
    order_id: str
    version: int
    content: dict[str, Any]
    requested_by: str
    put_at: int


class Decision(msgspec.Struct, frozen=True):
    """A person's retry, resolution or rejection."""

    follow_up_id: int
    actor: str
    action: str
    after: str | None
    at: int


class Ledger(msgspec.Struct, frozen=True):
    """Everything that we wrote down about effects."""

    follow_ups: list[FollowUp]
    attempts: list[Attempt]
    spendings: list[Spending]
    approvals: list[Word]
    pauses: list[Pause]
    plans: list[PlanVersion]
    retries: list[Decision]

    def of(self, effect: str) -> list[FollowUp]:
        """Return the follow-ups of an effect."""
        return [one for one in self.follow_ups if one.effect == effect]

    def attempts_of(self, follow_up_id: int) -> list[Attempt]:
        """Return the attempts of a follow-up, the first one first."""
        return [one for one in self.attempts if one.follow_up_id == follow_up_id]

    def calls(self, effect: str, order_id: str) -> list[Attempt]:
        """Return the calls of an effect about an order that may have been made, the first one first."""
        ids = {one.id for one in self.follow_ups if one.effect == effect and one.order_id == order_id}
        return [one for one in self.attempts if one.follow_up_id in ids and one.left]

    def plan(self, account: str, order_id: str, version: int) -> PlanVersion | None:
        """Return a version of an order's plan."""
        found = (one for one in self.plans if (one.account, one.order_id, one.version) == (account, order_id, version))
        return next(found, None)


def read_ledger(document: str) -> Ledger:
    """Return the ledger out of what `LEDGER` answers."""
    return msgspec.json.decode(document, type=Ledger)
