"""The people of a run: they approve, reject, look things up in the marketplace's books, pull the switch and release it.

They act through the functions that the routes and the commands act through. Each has a mood per case, by the dice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.operators import Actor, RefusedError, Role
from worker.domain.policy import CHANGES, Effect
from worker.simulator.market import ACCOUNT
from worker.storage import decision_store, pause_store
from worker.storage.decision_rows import policies_of
from worker.storage.engine import create_engine
from worker.storage.pause_store import Scope

if TYPE_CHECKING:
    from worker.simulator.run import Play

LOOK_EVERY_S = 3.0
LONG_UNKNOWN_S = 32.0
"""More than the reads and the second attempts need, and than a call may still be on its way."""
PAUSED_S = (3.0, 15.0)
BOTH = frozenset({Role.APPROVER, Role.OPERATOR})
ANN, BOB, CEM = (Actor(name, BOTH) for name in ("ann", "bob", "cem"))
OLE = Actor("ole", frozenset({Role.OPERATOR}))
MOODS = ("approves", "approves", "approves", "changes their mind", "rejects", "rejects and asks again", "is away")
ASKS_AGAIN = ("changes their mind", "rejects and asks again")
_DESK = f"""
SELECT CAST(json_build_object(
    'waiting', (SELECT coalesce(json_agg(json_build_object('id', f.id, 'amount', f.amount_minor) ORDER BY f.id),
        CAST('[]' AS json)) FROM follow_ups f WHERE f.state = 'awaiting_approval'),
    'rejected', (SELECT coalesce(json_agg(f.id ORDER BY f.id), CAST('[]' AS json)) FROM follow_ups f
        WHERE f.state = 'rejected' AND f.effect = ANY('{{{",".join(CHANGES)}}}')),
    'unknown', (SELECT coalesce(json_agg(json_build_object('id', f.id, 'effect', f.effect, 'order_id', o.order_id,
        'waybills', (SELECT coalesce(json_agg(p.waybill), CAST('[]' AS json)) FROM parcels p WHERE p.order_ref = o.id))
        ORDER BY f.id), CAST('[]' AS json)) FROM follow_ups f JOIN orders o ON o.id = f.order_ref
        WHERE f.state = 'unknown' AND f.unknown_since < to_timestamp(NOW_S - {LONG_UNKNOWN_S})),
    'pauses', (SELECT coalesce(json_agg(p.id ORDER BY p.id), CAST('[]' AS json)) FROM pauses p
        WHERE p.lifted_at IS NULL)) AS text)
"""  # noqa: S608 - constants


class Waiting(msgspec.Struct, frozen=True):
    """A follow-up that waits for an approval."""

    id: int
    amount: int | None


class Unknown(msgspec.Struct, frozen=True):
    """A follow-up of which nobody has known for long whether it took place."""

    id: int
    effect: Effect
    order_id: str
    waybills: list[str | None]


class Desk(msgspec.Struct, frozen=True):
    """What lies before the people."""

    waiting: list[Waiting]
    rejected: list[int]
    unknown: list[Unknown]
    pauses: list[int]


class People:
    """Everybody who decides something in a run."""

    def __init__(self, play: Play) -> None:
        self._play = play
        self._dice = play.dice
        self._trace = play.trace
        self._engine: AsyncEngine | None = None
        self._policy_of = policies_of({one.name: one.policy.to_policy(frozenset()) for one in play.fleet.accounts})
        self._moods: dict[int, str] = {}
        self._seen: dict[int, int | None] = {}
        self._turns: dict[int, int] = {}
        self._lifted_at: dict[int, float] = {}

    @property
    def engine(self) -> AsyncEngine:
        """Return the people's connections: no machine's."""
        if self._engine is None:
            self._engine = create_engine(self._play.fleet.settings.dsn, application="people", pool_size=2)
        return self._engine

    async def work(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if not self._play.postgres.is_away:
                await self._look()

    async def go_home(self) -> None:
        """End."""
        if self._engine is not None:
            await self._engine.dispose()

    async def _look(self) -> None:
        now_s = self._play.clock.now_ms() / 1_000
        document = self._play.session.value(_DESK.replace("NOW_S", str(now_s))) or ""
        desk = msgspec.json.decode(document, type=Desk)
        for waiting in desk.waiting:
            await self._decide(waiting)
        for rejected in desk.rejected:
            if self._moods.get(rejected) in ASKS_AGAIN:
                self._moods[rejected] = "approves"
                await self._says("asks again", self._retry(rejected, OLE, None))
        for unknown in desk.unknown:
            await self._look_up(unknown)
        await self._switch(desk.pauses)

    async def _decide(self, row: Waiting) -> None:
        """One person per look has a say; the first amount that was seen may be outdated by then."""
        mood = self._moods.setdefault(row.id, self._dice.stream("moods").choice(MOODS))
        turn = self._turns[row.id] = self._turns.get(row.id, -1) + 1
        who = (ANN, BOB, CEM)[turn % 3]
        seen = self._seen.setdefault(row.id, row.amount) if mood == "approves" and turn == 0 else row.amount
        if mood.startswith("rejects") or (mood == "changes their mind" and turn == 1):
            await self._says("rejects", lambda: decision_store.reject(self.engine, row.id, who, reason="no"))
        elif mood != "is away":
            await self._says(
                "approves",
                lambda: decision_store.approve(
                    self.engine, row.id, who, seen=seen, reason="fine", policy_of=self._policy_of
                ),
            )

    async def _look_up(self, row: Unknown) -> None:
        """Say what the books show. What did not happen is tried again, or given up."""
        books = self._play.sandbox.ledgers
        rows: dict[Effect, list[str]] = {
            Effect.PAY: [one.order_id for one in books.payments],
            Effect.CONFIRM_RECEIPT: [one.order_id for one in books.receipts],
            Effect.BOOK_INTERNATIONAL: [one.order_id for one in books.bookings],
            Effect.UPDATE_DOMESTIC_LOGISTICS: [
                one.order_id
                for one in books.warehouse_notices
                if all(waybill in str(one.content) for waybill in row.waybills if waybill)
            ],
            Effect.CANCEL: [one.order_id for one in books.cancels],
        }
        done = row.order_id in rows[row.effect]
        if not done and self._dice.stream("moods").random() < 0.5:  # noqa: PLR2004 - a share
            await self._says("tries again", self._retry(row.id, ANN, "it is not in their books"))
            return
        await self._says(
            "looks it up",
            lambda: decision_store.resolve(self.engine, row.id, ANN, done=done, reason="seen in their books"),
        )

    def _retry(self, follow_up_id: int, who: Actor, checked: str | None) -> Callable[[], Awaitable[object]]:
        return lambda: decision_store.retry(self.engine, follow_up_id, who, reason="again", checked=checked)

    def _resume(self, pause: int) -> Callable[[], Awaitable[object]]:
        return lambda: pause_store.resume(self.engine, OLE, pause, reason="go on")

    async def _switch(self, open_pauses: list[int]) -> None:
        """Pull the switch by the dice; release it after a while, at once when the world heals."""
        now = self._play.loop.time()
        for pause in open_pauses:
            until = self._lifted_at.setdefault(pause, now + self._dice.between("paused", *PAUSED_S))
            if now >= until or not self._dice.armed:
                await self._says("resumes", self._resume(pause))
        if self._dice.falls("effects paused"):
            scopes = (Scope(), Scope(ACCOUNT), *(Scope(ACCOUNT, effect.value) for effect in CHANGES))
            scope = self._dice.stream("scopes").choice(scopes)
            await self._says("pauses", lambda: pause_store.pause(self.engine, OLE, scope, reason="wait"))

    async def _says(self, what: str, decision: Callable[[], Awaitable[object]]) -> None:
        """Decide, now and then twice, as somebody does whose first answer got lost; a refusal is an answer, too."""
        for _ in range(1 + self._dice.falls("decided twice")):
            try:
                await decision()
            except RefusedError as error:
                self._trace.note(f"refused: {what}", "people", str(error)[:80])
            except DBAPIError:  # a worker that stands still holds the lock: at the next look, perhaps
                self._trace.note("people: in vain", "people", what)
            else:
                self._trace.note(f"people: {what}", "people")
