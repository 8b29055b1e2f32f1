"""What callers may send. A parameter that nobody knows is refused: a mistyped filter must not list everything."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from worker.domain.dead_letters import LetterState
from worker.domain.effects import EffectState
from worker.domain.identity import Platform, valid_account_name
from worker.domain.policy import Effect
from worker.domain.status import OrderStatus
from worker.operations.api.cursors import MAX_CURSOR_CHARS

MAX_LIMIT = 200
DEFAULT_LIMIT = 50


def _account(value: str) -> str:
    if not valid_account_name(value):
        raise ValueError("expected the name of an account")
    return value


def _row_id(value: str) -> str:
    if not value.isascii() or not value.isdigit() or int(value) >= 2**63:
        raise ValueError("expected what an earlier answer gave")
    return value


AccountName = Annotated[str, Field(max_length=40), AfterValidator(_account)]
RowId = Annotated[str, Field(max_length=19), AfterValidator(_row_id)]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrdersQuery(_Parameters):
    """Which orders, and where in their list."""

    account: AccountName | None = None
    platform: Platform | None = None
    status: OrderStatus | None = None
    updated_since: Annotated[
        AwareDatetime | None,
        Field(description="RFC 3339 with a zone; where the first page begins. A cursor takes its place."),
    ] = None
    cursor: Annotated[
        str | None,
        Field(max_length=MAX_CURSOR_CHARS, description="`next_cursor` or `resume_cursor` of a page with these filters"),
    ] = None
    limit: Limit = DEFAULT_LIMIT


class TimelineQuery(_Parameters):
    """Which stretch of an order's facts."""

    timeline_limit: Limit = DEFAULT_LIMIT
    timeline_before: Annotated[RowId | None, Field(description="`timeline.earlier` of the stretch after it")] = None


class AlertsQuery(_Parameters):
    """Which alerts."""

    open: Annotated[bool | None, Field(description="true: open ones, false: resolved ones")] = None
    account: AccountName | None = None
    before: Annotated[RowId | None, Field(description="`earlier` of the page after it")] = None
    limit: Limit = DEFAULT_LIMIT


class FollowUpsQuery(_Parameters):
    """Which follow-ups."""

    account: AccountName | None = None
    platform: Platform | None = None
    order_id: Annotated[str | None, Field(max_length=64)] = None
    state: Annotated[list[EffectState], Field(max_length=8, description="One or several; none: all")] = []
    effect: Annotated[list[Effect], Field(max_length=10, description="One or several; none: all")] = []
    before: Annotated[RowId | None, Field(description="`earlier` of the page after it")] = None
    limit: Limit = DEFAULT_LIMIT


class PausesQuery(_Parameters):
    """Which pauses."""

    open: Annotated[bool | None, Field(description="true: open ones, false: lifted ones")] = None
    before: Annotated[RowId | None, Field(description="`earlier` of the page after it")] = None
    limit: Limit = DEFAULT_LIMIT


class AuditQuery(_Parameters):
    """Which entries of the audit log."""

    subject: Annotated[
        str | None,
        Field(max_length=200, examples=["follow_up:12", "plan:main/1688/123", "account:main"]),
    ] = None
    actor: Annotated[str | None, Field(max_length=100)] = None
    before: Annotated[RowId | None, Field(description="`earlier` of the page after it")] = None
    limit: Limit = DEFAULT_LIMIT


class DeadLettersQuery(_Parameters):
    """Which dead letters, by cause: those that wait for somebody, unless a state is named."""

    state: LetterState | None = None
    limit: Limit = DEFAULT_LIMIT

    @property
    def states(self) -> list[str]:
        """Return the states that are asked for."""
        return [LetterState.OPEN.value, LetterState.REPLAYING.value] if self.state is None else [self.state.value]


class LettersQuery(DeadLettersQuery):
    """Which dead letters, and where in their list."""

    fingerprint: Annotated[str | None, Field(max_length=64)] = None
    topic: Annotated[str | None, Field(max_length=249)] = None
    reason_contains: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: Annotated[RowId | None, Field(description="`earlier` of the page after it")] = None
