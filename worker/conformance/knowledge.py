"""What earlier answers taught: orders with their lines, and every id by its name, so that it can be asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from worker.catalogue.operation import Dialect
from worker.marketplaces.redaction import plain_name
from worker.marketplaces.values import as_list, as_object, identifier, text

MAX_KEPT = 40
"""Values of one name, and orders: enough to find one that fits."""

UNPAID = frozenset({"waitbuyerpay"})
PAID = frozenset({"waitsellersend", "waitbuyerreceive"})
SHIPPED = frozenset({"waitbuyerreceive", "confirm_goods", "success"})


class KnownOrder(msgspec.Struct):
    """One 1688 order as it was last seen."""

    order_id: str
    status: str
    lines: tuple[str, ...]
    offers: tuple[dict[str, Any], ...]
    total: Any = None
    waybill: str | None = None
    touched: bool = False
    """An effect was called about it: the next one takes another order."""


class Knowledge:
    """Grows with every answer. `group`: the first part of an operation's name (`1688`, `taobao`, …)."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.orders: dict[str, KnownOrder] = {}
        self.asked: dict[str, Mapping[str, Any]] = {}
        """The last question of each operation that was answered."""
        self._values: dict[tuple[str, str], list[Any]] = {}

    def learn(self, operation: str, question: Mapping[str, Any], data: Any) -> None:
        """Take in an answer and what was asked for it."""
        self.asked[operation] = question
        group = operation.partition(".")[0]
        self._collect(group, data)
        if group == "1688":
            for trade in _trades(data):
                self._take_order(trade)

    def first(self, group: str, *names: str) -> Any:
        """Return the first value known under one of the names, None if there is none."""
        return next((found[0] for found in self._all(group, names) if found), None)

    def all(self, group: str, *names: str) -> list[Any]:
        """Return what is known under the first of the names that anything is known under."""
        return next((list(found) for found in self._all(group, names) if found), [])

    def order(self, statuses: frozenset[str] | None = None, *, untouched: bool = False) -> KnownOrder | None:
        """Return an order in one of the statuses."""
        fitting = [one for one in self.orders.values() if statuses is None or one.status in statuses]
        if untouched:
            fitting = [one for one in fitting if not one.touched]
        return next(iter(fitting), None)

    def _all(self, group: str, names: tuple[str, ...]) -> list[list[Any]]:
        return [self._values.get((group, plain_name(name)), []) for name in names]

    def _collect(self, group: str, data: Any) -> None:
        if isinstance(data, dict):
            for name, value in data.items():
                if isinstance(value, dict | list):
                    self._collect(group, value)
                elif value not in (None, ""):
                    self._keep(group, name, value)
        elif isinstance(data, list):
            for one in data:
                self._collect(group, one)

    def _keep(self, group: str, name: str, value: Any) -> None:
        known = self._values.setdefault((group, plain_name(name)), [])
        if value not in known:
            known.insert(0, value)  # the newest answer comes first: what was just made is asked about
            del known[MAX_KEPT:]

    def _take_order(self, trade: dict[str, Any]) -> None:
        base = as_object(trade.get("baseInfo"))
        order_id = identifier(base.get("idOfStr"), base.get("id"))
        if order_id is None:
            return
        items = [as_object(item) for item in as_list(trade.get("productItems"))]
        lines = [identifier(item.get("subItemIDString"), item.get("subItemID")) for item in items]
        parcels = as_list(as_object(trade.get("nativeLogistics")).get("logisticsItems"))
        before = self.orders.pop(order_id, None)
        self.orders[order_id] = KnownOrder(
            order_id=order_id,
            status=text(base.get("status")) or "",
            lines=tuple(line for line in lines if line),
            offers=tuple(items),
            total=base.get("totalAmount"),
            waybill=next((text(as_object(one).get("logisticsBillNo")) for one in parcels), None)
            or (before.waybill if before else None),
            touched=before.touched if before else False,
        )
        while len(self.orders) > MAX_KEPT:
            del self.orders[next(iter(self.orders))]


def _trades(data: Any) -> list[dict[str, Any]]:
    """Return whatever looks like an order: alone, in `data` or in `result`."""
    if isinstance(data, list):
        return [as_object(one) for one in data]
    whole = as_object(data)
    return [whole, *(one for name in ("data", "result") if name in whole for one in _trades(whole[name]))]
