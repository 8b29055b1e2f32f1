"""What a read sees: the truth, or for some moments still what was true before.

Upstream's reads come from copies that lag behind: one call sees the change, the next one not yet. Effects always work
on the truth. Without a lag nothing is kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Generic, Protocol, Self, TypeVar

from worker.sandbox.agenda import NowMs
from worker.sandbox.seeded import stream


class Kept(Protocol):
    """An order of any platform."""

    @property
    def order_id(self) -> str:
        """The id under which it is kept."""
        ...

    def copy(self) -> Self:
        """Return its state, which later changes leave alone."""
        ...


O = TypeVar("O", bound=Kept)  # noqa: E741 - an order


class History(Generic[O]):
    """Older states of orders, as far back as a read may look."""

    def __init__(self, orders: Mapping[str, O], now_ms: NowMs, stale_s: float, seed: int = 1) -> None:
        self._orders = orders
        self._now_ms = now_ms
        self._stale_ms = round(stale_s * 1000)
        self._states: dict[str, list[tuple[int, O]]] = {}
        self._seed = seed
        self._reads: Counter[str] = Counter()

    def keep(self, order: O) -> None:
        """Remember how an order is from now on; to be called after every change."""
        if self._stale_ms == 0:
            return
        states = self._states.setdefault(order.order_id, [])
        states.append((self._now_ms(), order.copy()))
        oldest_ms = self._now_ms() - self._stale_ms
        while len(states) > 1 and states[1][0] <= oldest_ms:
            del states[0]

    def seen(self, order_id: str) -> O | None:
        """The order as one more read sees it; None if it does not see any."""
        order = self._orders.get(order_id)
        return order if order is None or self._stale_ms == 0 else self._at(order, self._look_ms(order_id))

    def all_seen(self) -> Iterator[O]:
        """All orders as one more list sees them, at one moment."""
        if self._stale_ms == 0:
            yield from self._orders.values()
            return
        at_ms = self._look_ms("list")
        for order in self._orders.values():
            if (seen := self._at(order, at_ms)) is not None:
                yield seen

    def _look_ms(self, key: str) -> int:
        """The nth read of an order, or of the list, lags by as much in every run."""
        self._reads[key] += 1
        return self._now_ms() - round(stream(self._seed, "lag", key, self._reads[key]).uniform(0, self._stale_ms))

    def _at(self, order: O, at_ms: int) -> O | None:
        states = self._states.get(order.order_id, [])
        return next((state for since_ms, state in reversed(states) if since_ms <= at_ms), None)
