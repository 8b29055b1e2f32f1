"""The states of a follow-up and which may follow which. A trigger in the database refuses every other step."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class EffectState(StrEnum):
    """Where a follow-up stands.

    `unknown`: it may have happened. From there on only reads, until they tell or a person decides.
    """

    PLANNED = "planned"
    AWAITING_APPROVAL = "awaiting_approval"
    SENDING = "sending"
    AWAITING_PERSON = "awaiting_person"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


_S = EffectState
TRANSITIONS: Final[dict[EffectState, frozenset[EffectState]]] = {
    _S.PLANNED: frozenset({_S.AWAITING_APPROVAL, _S.SENDING, _S.CANCELLED, _S.REJECTED}),
    _S.AWAITING_APPROVAL: frozenset({_S.PLANNED, _S.CANCELLED, _S.REJECTED}),
    # Back to planned only when the call certainly never left us (no connection was made).
    _S.SENDING: frozenset({_S.SUCCEEDED, _S.UNKNOWN, _S.AWAITING_PERSON, _S.REJECTED, _S.PLANNED}),
    _S.AWAITING_PERSON: frozenset({_S.SUCCEEDED, _S.CANCELLED}),
    _S.UNKNOWN: frozenset({_S.SUCCEEDED, _S.REJECTED, _S.PLANNED}),
    _S.SUCCEEDED: frozenset(),
    _S.REJECTED: frozenset({_S.PLANNED}),
    _S.CANCELLED: frozenset({_S.PLANNED, _S.AWAITING_APPROVAL}),
}
"""The steps of an effect. What has succeeded is over for good."""

CLEARED_STEPS: Final = frozenset(
    {
        (_S.UNKNOWN, _S.PLANNED),
        (_S.REJECTED, _S.PLANNED),
        (_S.CANCELLED, _S.PLANNED),
        (_S.CANCELLED, _S.AWAITING_APPROVAL),
    }
)
"""Steps towards another attempt: only together with what allowed it (`follow_ups.cleared`): late reads that showed that
nothing had happened, or a person. What was cancelled before anything was sent may be wanted again without."""

READ_TRANSITIONS: Final[dict[EffectState, frozenset[EffectState]]] = {
    _S.PLANNED: frozenset({_S.SUCCEEDED, _S.REJECTED}),
    _S.SUCCEEDED: frozenset({_S.PLANNED}),
    _S.REJECTED: frozenset({_S.PLANNED}),
}
"""The steps of a safe read, which can be planned again and again."""
