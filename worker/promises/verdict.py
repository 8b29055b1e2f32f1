"""I1 as a whole: everything that is judged of effects once the world is at rest."""

from __future__ import annotations

from collections.abc import Iterator

from worker.promises import effects, money, people
from worker.promises.books import Books
from worker.promises.effects import Knowable
from worker.promises.money import Policies, Prices
from worker.promises.rows import Ledger


def broken_effects(
    ledger: Ledger, books: Books, prices: Prices, policies: Policies, knowable: Knowable, *, written_within_ms: int
) -> Iterator[str]:
    """Yield effects that took place twice, too early, behind our back, or beyond what rules and people allow."""
    yield from effects.twice(books)
    yield from effects.behind_our_back(ledger, books)
    yield from effects.booked_twice(ledger, books)
    yield from effects.told_otherwise(ledger, books)
    yield from effects.too_early(ledger, books, knowable)
    yield from money.beyond_leave(ledger, policies)
    yield from money.paid_otherwise(ledger, books, prices, knowable)
    yield from money.over_budget(ledger, policies)
    yield from money.unseen_spending(ledger, books)
    yield from people.against_people(ledger, written_within_ms=written_within_ms)
