"""The freight forwarder: what it charges, what it was told, and what was booked with it.

Answers of these calls were not readable anywhere: their shape is the sandbox's own, in the words of the documented
requests. So are the prices, and that a preview expires. A render id is good for one booking; that a second booking of
the same order is refused is not known, so it is not refused: it is booked, and shows in the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from worker.sandbox.agenda import NowMs
from worker.sandbox.codes import Refused
from worker.sandbox.config import SandboxConfig
from worker.sandbox.ledgers import Booking, Inbound, Ledgers, Render, WarehouseNotice


@dataclass(frozen=True, slots=True)
class Service:
    """One way to send goods abroad; fen."""

    service_id: str
    company: str
    category: str
    base_fen: int
    per_piece_fen: int

    @property
    def shown(self) -> dict[str, str]:
        """The documented `freightInfo`."""
        return {"serviceId": self.service_id, "companyName": self.company, "serviceCategory": self.category}


SERVICES: Final = {
    service.service_id: service
    for service in (
        Service("SEA-STANDARD", "Sandbox Sea", "SEA", 3_000, 120),
        Service("AIR-ECONOMY", "Sandbox Air", "AIR", 4_500, 260),
        Service("AIR-EXPRESS", "Sandbox Air", "EXPRESS", 9_900, 610),
    )
}
Item = tuple[str, str, int]
"""Article, sku, pieces."""


class Warehouse:
    """Previews, bookings and notices of one sandbox."""

    def __init__(self, config: SandboxConfig, ledgers: Ledgers, now_ms: NowMs) -> None:
        self._config = config
        self._ledgers = ledgers
        self._now_ms = now_ms
        self._open: dict[str, tuple[Render, list[Item]]] = {}
        self._used: set[str] = set()

    def price_fen(self, service: Service, items: list[Item]) -> int:
        """What sending the items costs."""
        return service.base_fen + service.per_piece_fen * sum(quantity for _, _, quantity in items)

    def preview(self, service: Service, items: list[Item]) -> Render:
        """Promise a price for a while, under an id."""
        now_ms = self._now_ms()
        number = len(self._ledgers.renders) + 1
        render = Render(
            render_id=f"FF{datetime.fromtimestamp(now_ms // 1000, UTC):%Y%m%d}{number:05d}",
            amount_fen=self.price_fen(service, items),
            currency="CNY",
            service_id=service.service_id,
            at=now_ms,
            expires_at=now_ms + round(self._config.render_valid_s * 1000),
        )
        self._ledgers.renders.append(render)
        self._open[render.render_id] = render, sorted(items)
        return render

    def book(self, render_id: str, order_id: str, items: list[Item], content: dict[str, Any]) -> Booking:
        """Book what was previewed.

        Raises:
            Refused: the id is unknown, was used, has expired, or was given for other items. Nothing was booked.
        """
        if render_id in self._used:
            raise Refused(40911, render_id)
        if render_id not in self._open:
            raise Refused(40404, render_id)
        render, previewed = self._open[render_id]
        now_ms = self._now_ms()
        if now_ms > render.expires_at:
            raise Refused(40910, render_id)
        if sorted(items) != previewed:
            raise Refused(40912, render_id)
        self._used.add(render_id)
        booked = Booking(
            number=f"FARJP{len(self._ledgers.bookings) + 1:09d}YQ",
            render_id=render.render_id,
            order_id=order_id,
            amount_fen=render.amount_fen,
            currency=render.currency,
            service_id=render.service_id,
            at=now_ms,
            order_call_no=1 + sum(row.order_id == order_id for row in self._ledgers.bookings),
            content=content,
        )
        self._ledgers.bookings.append(booked)
        return booked

    def tell(self, order_id: str, content: dict[str, Any]) -> WarehouseNotice:
        """Take down what is on its way to the warehouse."""
        repeats = sum(row.order_id == order_id and row.content == content for row in self._ledgers.warehouse_notices)
        notice = WarehouseNotice(order_id, self._now_ms(), content, repeats)
        self._ledgers.warehouse_notices.append(notice)
        return notice

    def take_in(self, inbound: Inbound) -> None:
        """Take down a message about a package (Xport/KA)."""
        self._ledgers.inbounds.append(inbound)
