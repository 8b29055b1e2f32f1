"""The people of the demo: two who look at what waits for approval, and decide it as they would at the console."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.demo.twin import Twin
from worker.domain.operators import Actor, RefusedError, Role
from worker.domain.policy import Policy
from worker.storage import decision_store

LOOK_EVERY_S = 0.7
LONG_UNKNOWN_S = 9.0
"""More than the reads and the second attempts need: what is unknown for longer waits for a person."""
_WAITING = text(
    """
    SELECT f.id, f.amount_minor, o.order_id FROM follow_ups f JOIN orders o ON o.id = f.order_ref
    WHERE f.state = 'awaiting_approval' ORDER BY f.id LIMIT 100
    """
)
_UNKNOWN = text(
    """
    SELECT f.id, f.effect, o.order_id, (SELECT array_agg(p.waybill) FROM parcels p WHERE p.order_ref = o.id) AS waybills
    FROM follow_ups f JOIN orders o ON o.id = f.order_ref
    WHERE f.state = 'unknown' AND f.effect IN ('book_international', 'update_domestic_logistics', 'confirm_receipt')
        AND f.unknown_since < now() - make_interval(secs => CAST(:long_s AS double precision))
    ORDER BY f.id LIMIT 100
    """
)
_BOOKS = {
    "book_international": "bookings",
    "update_domestic_logistics": "warehouse-notices",
    "confirm_receipt": "receipts",
}
PEOPLE = (
    Actor("ann", frozenset({Role.APPROVER, Role.OPERATOR})),
    Actor("bob", frozenset({Role.APPROVER, Role.OPERATOR})),
)


class Office(msgspec.Struct):
    """Approves two orders of three and rejects the third; looks into the warehouse's books where no read can tell."""

    engine: AsyncEngine
    policy_of: Callable[[str], Policy]
    twin: Twin

    async def run(self) -> None:
        """Decide until cancelled."""
        while True:
            async with self.engine.connect() as connection:
                waiting = (await connection.execute(_WAITING)).all()
                unknown = (await connection.execute(_UNKNOWN, {"long_s": LONG_UNKNOWN_S})).all()
            for row in waiting:
                await self._decide(row.id, row.amount_minor, approves=int(row.order_id[-2:]) % 3 != 0)
            for row in unknown:
                await self._look_up(row.id, row.effect, row.order_id, row.waybills or [])
            await asyncio.sleep(LOOK_EVERY_S)

    async def _decide(self, follow_up_id: int, amount: int | None, *, approves: bool) -> None:
        for person in PEOPLE if approves else PEOPLE[:1]:
            try:
                if approves:
                    await decision_store.approve(
                        self.engine, follow_up_id, person, seen=amount, reason="demo", policy_of=self.policy_of
                    )
                else:
                    await decision_store.reject(self.engine, follow_up_id, person, reason="demo")
            except RefusedError:
                return  # decided by the other, or no longer waiting: what a person would be told, too

    async def _look_up(self, follow_up_id: int, effect: str, order_id: str, waybills: list[str]) -> None:
        """Say what the books show: a booking, a receipt, a notice of all parcels. A lost receipt is tried again."""
        shown = [row for row in await self.twin.book(_BOOKS[effect]) if row["order_id"] == order_id]
        if effect == "update_domestic_logistics":
            shown = [row for row in shown if all(waybill in str(row["content"]) for waybill in waybills)]
        said = "seen in their books"
        with contextlib.suppress(RefusedError):  # settled meanwhile
            if effect == "confirm_receipt" and not shown:
                await decision_store.retry(
                    self.engine, follow_up_id, PEOPLE[0], reason=said, checked="no receipt there"
                )
            else:
                await decision_store.resolve(self.engine, follow_up_id, PEOPLE[0], done=bool(shown), reason=said)
