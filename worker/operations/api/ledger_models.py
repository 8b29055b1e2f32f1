"""What the API says of the ledger and of decisions, and what it takes, as pydantic models."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from worker.domain.effects import EffectState
from worker.domain.identity import Platform
from worker.domain.money import MAX_MINOR
from worker.domain.operators import MAX_REASON_CHARS
from worker.domain.policy import Effect
from worker.domain.status import OrderStatus
from worker.operations.api.models import Money, words

Reason = Annotated[StrictStr, Field(max_length=MAX_REASON_CHARS, description="Why; it goes into the audit log")]


class LedgerEntry(BaseModel):
    """A follow-up as the ledger has it, with what is known of its order."""

    id: str
    account: str
    platform: Annotated[str, words(Platform)]
    order_id: str
    effect: Annotated[str, words(Effect)]
    purpose: str
    state: Annotated[str, words(EffectState)]
    reason: str | None
    amount: Money | None
    approved: Annotated[Money | None, Field(description="Approved up to this")]
    requested_by: str | None
    pay_url: Annotated[str | None, Field(description="Where a person has to pay")]
    reference: Annotated[str | None, Field(description="The number that the marketplace gave a booking")]
    attempts: Annotated[int, Field(description="Calls begun so far")]
    failures: Annotated[int, Field(description="Failures in a row")]
    budget_refusals: int
    unknown_since: datetime | None
    not_done_reads: Annotated[int, Field(description="Reads since then that showed it not done")]
    not_done_at: datetime | None
    cleared: Annotated[dict[str, Any] | None, Field(description="What allowed another attempt")]
    due_at: datetime
    created_at: datetime
    updated_at: datetime
    order_status: Annotated[str, words(OrderStatus)]
    order_paid: bool
    order_unconfirmed: bool
    order_asked_at: datetime | None


class LedgerPage(BaseModel):
    """One page of follow-ups, newest first."""

    follow_ups: list[LedgerEntry]
    earlier: Annotated[str | None, Field(description="Send it as `before` for the next page; null on the last one")]


class AttemptDetail(BaseModel):
    """One call to the marketplace: what it rested on, what was sent and answered, without secrets and personal data."""

    operation: str
    amount: Money | None
    sent_at: datetime
    finished_at: Annotated[datetime | None, Field(description="null: under way, or its worker died")]
    outcome: str | None
    evidence: dict[str, Any]
    request: dict[str, Any] | None
    answer: dict[str, Any] | None


class ApprovalShown(BaseModel):
    """Somebody's word. An approval before a later rejection is void."""

    decision: Annotated[str, Field(description="approve or reject")]
    amount: Money | None
    actor: str
    reason: str
    created_at: datetime


class AuditEntry(BaseModel):
    """Who did what to what, when and why."""

    id: str
    at: datetime
    actor: str
    action: str
    subject: Annotated[str, Field(examples=["follow_up:12", "plan:main/1688/123", "account:main"])]
    reason: str
    details: dict[str, Any]


class AuditPage(BaseModel):
    """One page of the audit log, newest first."""

    entries: list[AuditEntry]
    earlier: Annotated[str | None, Field(description="Send it as `before` for the next page; null on the last one")]


class LedgerDetail(LedgerEntry):
    """A follow-up with all that led to where it stands."""

    waits: Annotated[list[str], Field(description="Why it does not go on, in words; empty if it does or is over")]
    missing_approvals: int
    attempt_log: Annotated[list[AttemptDetail], Field(description="The latest attempts, oldest of them first")]
    approvals: list[ApprovalShown]
    audit_log: Annotated[list[AuditEntry], Field(description="The latest entries, newest first")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    reason: Reason


class ApproveBody(_Body):
    """An approval. Twice the same is once."""

    amount_minor: Annotated[
        StrictInt | None,
        Field(ge=0, le=MAX_MINOR, description="`amount.minor` as you saw it; if it has risen since, this is refused"),
    ] = None


class RejectBody(_Body):
    """An end to something that was not sent."""


class RetryBody(_Body):
    """Another attempt."""

    checked: Annotated[
        StrictStr | None,
        Field(
            max_length=MAX_REASON_CHARS,
            description="For an unknown: what you looked at on the marketplace that shows that it did not happen",
        ),
    ] = None


class ResolveBody(_Body):
    """What a person saw on the marketplace."""

    done: Annotated[StrictBool, Field(description="true: it happened; false: it certainly did not")]


class Decision(BaseModel):
    """What came of a decision."""

    id: str
    state: Annotated[str, words(EffectState)]
    approved_minor: int | None
    missing_approvals: Annotated[int, Field(description="People who must still approve")]
    changed: Annotated[bool, Field(description="false: it had been decided so already")]
