"""One effect: sent once through the caller, and every way in which it can end made an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.marketplaces.caller import Caller
from worker.marketplaces.port import (
    EffectAnswer,
    EffectOutcome,
    MarketplaceError,
    NotSentError,
    UnsupportedError,
)
from worker.marketplaces.values import UnreadableValueError, identifier
from worker.marketplaces.verdicts import Meaning, ruling_of


class Effects:
    """Calls the effects of one account.

    `definite_refusals`: whether PandaPon's refusals count as definite where `verdicts` says so (inferred).
    """

    def __init__(self, caller: Caller, dialect: Dialect, *, definite_refusals: bool = True) -> None:
        self._caller = caller
        self._dialect = dialect
        self._definite_refusals = definite_refusals

    async def call(self, name: str, question: Mapping[str, Any], judge: Callable[[Any], EffectAnswer]) -> EffectAnswer:
        """Call `name` once; `judge` says what the data of a success means. Raises NotSentError, nothing else."""
        try:
            data = await self._caller.effect(name, question)
        except (NotSentError, UnsupportedError) as error:
            raise NotSentError(str(error)) from error
        except MarketplaceError as error:
            return self._failed(name, error)
        try:
            return judge(data)
        except UnreadableValueError as error:
            return EffectAnswer(EffectOutcome.UNCLEAR, f"{name}: the answer cannot be read: {error}")

    def _failed(self, name: str, error: MarketplaceError) -> EffectAnswer:
        ruling = ruling_of(self._dialect, name, error, definite_refusals=self._definite_refusals)
        said = f"{type(error).__name__}: {error}"
        if ruling is None:
            return EffectAnswer(EffectOutcome.UNCLEAR, said)
        if ruling.meaning is Meaning.NOT_NOW:
            raise NotSentError(f"not now: {said}", code=error.code)
        return EffectAnswer(EffectOutcome.REJECTED, said, detail={"mark": ruling.mark.value, "code": error.code})


def number_of(an_id: str, what: str) -> int:
    """Return an id as the bare number that the API wants. Raises NotSentError where it is none."""
    found = identifier(an_id)
    if found is None or not (found.isascii() and found.isdigit()):
        raise NotSentError(f"the {what} {an_id[:80]!r} is no number; the marketplace wants one")
    return int(found)
