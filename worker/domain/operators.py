"""People and what they may do. Pure: who somebody is was found out before."""

from __future__ import annotations

from enum import StrEnum

import msgspec

MAX_REASON_CHARS = 500


class Role(StrEnum):
    """What somebody may do.

    `operator` and `approver` include `viewer`, and nothing else of each other: who runs the worker need not be allowed
    to let money go, and who lets it go need not run the worker. One person can have both.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    APPROVER = "approver"


class Actor(msgspec.Struct, frozen=True):
    """Who asks for something."""

    name: str
    roles: frozenset[Role]

    def has_any(self, *roles: Role) -> bool:
        """Tell whether one of these roles is among the actor's."""
        return not self.roles.isdisjoint(roles)


class RefusalKind(StrEnum):
    """Why something was refused: there is no such thing, not by you, not now, or not like this."""

    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    INVALID = "invalid"


class RefusedError(Exception):
    """A decision that was not taken; nothing was written. The text says what to do instead."""

    def __init__(self, kind: RefusalKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def require(actor: Actor, deed: str, *roles: Role) -> None:
    """Raise RefusedError unless the actor has one of `roles`."""
    if not actor.has_any(*roles):
        wanted = " or ".join(role.value for role in roles)
        raise RefusedError(
            RefusalKind.FORBIDDEN, f"{actor.name} may not {deed}: it needs the role {wanted}; ask somebody who has it"
        )


def stated(given: str | None, what: str = "reason") -> str:
    """Return what a person stated, trimmed. Raises RefusedError if it is missing, too long or unprintable."""
    text = (given or "").strip()
    if not text:
        raise RefusedError(
            RefusalKind.INVALID, f"{what}: is missing; say in a few words why, it goes into the audit log"
        )
    if len(text) > MAX_REASON_CHARS:
        raise RefusedError(RefusalKind.INVALID, f"{what}: is longer than {MAX_REASON_CHARS} characters; shorten it")
    if not text.replace("\n", " ").isprintable():
        raise RefusedError(RefusalKind.INVALID, f"{what}: has characters that cannot be printed; write plain text")
    return text
