"""What came of asking one operation: what was confirmed, what was not, and what contradicts the catalogue."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from worker.catalogue.operation import Mark


class State(StrEnum):
    """How an operation came out."""

    CONFIRMED = "confirmed"
    """Reached, signature accepted, envelope as described, and every field that the catalogue names has its kind."""
    PARTLY = "partly"
    """Reached, and nothing contradicted; some fields were not in this answer, or none are known."""
    REFUSED = "refused"
    """Reached and understood, but refused for a reason of its own (no such order, no permission)."""
    CONTRADICTED = "contradicted"
    """Something that the catalogue calls documented is not so."""
    NOT_THERE = "not there"
    """The path is only inferred or seen in the field, and nothing answers there."""
    UNREACHABLE = "unreachable"
    """No answer, or a gateway's page: says nothing about the operation."""
    NOT_ASKED = "not asked"


class FieldState(StrEnum):
    """How one field of the catalogue looked in an answer."""

    FOUND = "found"
    EMPTY = "empty"
    """It is there, and null or an empty text wherever it stands."""
    MISSING = "missing"
    OTHER_KIND = "other kind"
    OTHER_UNIT = "other unit"


class FieldSeen(msgspec.Struct, frozen=True):
    """One field. `note` says what was seen instead, never a value."""

    path: str
    kind: str
    mark: Mark
    state: FieldState
    note: str = ""


class Finding(msgspec.Struct, kw_only=True):
    """One operation. None: not tried."""

    operation: str
    mark: Mark
    path: str | None
    effect: bool
    state: State
    reason: str = ""
    reached: bool | None = None
    signature_accepted: bool | None = None
    wrong_signature_refused: bool | None = None
    envelope: str | None = None
    """The envelope's shape by name; what is odd about it stands in `contradictions`."""
    fields: list[FieldSeen] = []
    others: list[str] = []
    """Names in the answer that the catalogue does not have."""
    contradictions: list[str] = []

    def tally(self, state: FieldState) -> int:
        """Return how many fields came out so."""
        return sum(field.state is state for field in self.fields)


class Report(msgspec.Struct, kw_only=True):
    """The whole run."""

    account: str
    dialect: str
    base_url: str
    effects: bool
    asked_at: str
    findings: list[Finding]
    unknown_path_refused: bool | None = None
    unknown_path_answer: str = ""
    contradictions: list[str] = []
    """About the API as a whole."""

    @property
    def contradicted(self) -> list[str]:
        """Return every contradiction in a line of its own."""
        found = [f"{one.operation}: {text}" for one in self.findings for text in one.contradictions]
        return [*self.contradictions, *found]

    @property
    def reached(self) -> int:
        """Return how many operations answered."""
        return sum(finding.reached is True for finding in self.findings)
