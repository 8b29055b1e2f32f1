"""What earlier answers taught: orders with their lines, and every id by its name, so that it can be asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from worker.catalogue.operation import Dialect
from worker.marketplaces.redaction import plain_name
from worker.marketplaces.values import as_list, as_object, identifier, text

MAX_KEPT = 40
"""Values of one name, and orders of one platform: enough to find one that fits."""

UNPAID = frozenset({"waitbuyerpay", "WAIT_BUYER_P"})
PAID = frozenset({"waitsellersend", "waitbuyerreceive", "WAIT_SELLER_SEND_GOODS", "WAIT_BUYER_CONFIRM_GOODS"})
SENT_NOT_RECEIVED = frozenset({"waitbuyerreceive", "WAIT_BUYER_CONFIRM_GOODS"})
SHIPPED = SENT_NOT_RECEIVED | {"confirm_goods", "success"}
_CODES = {"0": "WAIT_BUYER_P", "10": "WAIT_SELLER_SEND_GOODS", "11": "WAIT_BUYER_CONFIRM_GOODS", "4": "TRADE_CLOSED"}
"""Xport shows Taobao's statuses as numbers (documented)."""
_CALLED_OTHERWISE: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "1688.refund.reasons": (("reasons", "id", "applyReasonId"), ("data", "id", "applyReasonId")),
    "1688.goods.image_upload": (("result", "result", "imageId"),),
    "1688.cart.list": (("data", "id", "cartId"),),
    "taobao.cart.list": (("data", "id", "cartId"),),
}
"""Where an answer calls `id` what a question calls by its full name: block, field, name."""


class KnownOrder(msgspec.Struct):
    """One order as it was last seen. `items`: its goods, by the names that its platform has for them."""

    order_id: str
    status: str
    lines: tuple[str, ...]
    items: tuple[dict[str, Any], ...]
    total: Any = None
    waybill: str | None = None
    touched: bool = False
    """An effect was called about it: the next one takes another order."""


class Knowledge:
    """Grows with every answer. `group`: the first part of an operation's name (`1688`, `taobao`, …)."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.orders: dict[tuple[str, str], KnownOrder] = {}
        """By group and id."""
        self.asked: dict[str, Mapping[str, Any]] = {}
        """The last question of each operation that was answered."""
        self.article: tuple[Any, Any] | None = None
        """An offer's id, and the spec of one of its variants, from its detail."""
        self._values: dict[tuple[str, str], list[Any]] = {}

    def learn(self, operation: str, question: Mapping[str, Any], data: Any) -> None:
        """Take in an answer and what was asked for it."""
        self.asked[operation] = question
        group = operation.partition(".")[0]
        self._collect(group, data)
        for block, field, name in _CALLED_OTHERWISE.get(operation, ()):
            for value in _fields(data, block, field):
                self._keep(group, name, value)
        if operation == "1688.goods.detail":
            offer, spec = (next(_named(data, *names), None) for names in (("offerId", "offerMapId"), ("specId",)))
            self.article = (offer, spec) if offer is not None and spec is not None else self.article
        for trade in _objects(data):
            self._take_order(group, trade)

    def first(self, group: str, *names: str) -> Any:
        """Return the first value known under one of the names, None if there is none."""
        return next((found[0] for name in names if (found := self._values.get((group, plain_name(name))))), None)

    def all(self, group: str, name: str) -> list[Any]:
        """Return what is known under a name, the newest first."""
        return list(self._values.get((group, plain_name(name)), ()))

    def order(
        self, group: str, statuses: frozenset[str] | None = None, *, untouched: bool = False
    ) -> KnownOrder | None:
        """Return an order in one of the statuses. The warehouse knows the orders of 1688."""
        group = "taobao" if group == "taobao" else "1688"
        for (of, _), order in self.orders.items():
            if of == group and (statuses is None or order.status in statuses) and not (untouched and order.touched):
                return order
        return None

    def _collect(self, group: str, data: Any) -> None:
        for one in _objects(data):
            for name, value in one.items():
                if value not in (None, "") and not isinstance(value, dict | list):
                    self._keep(group, name, value)

    def _keep(self, group: str, name: str, value: Any) -> None:
        known = self._values.setdefault((group, plain_name(name)), [])
        if value not in known:
            known.insert(0, value)  # the newest answer comes first: what was just made is asked about
            del known[MAX_KEPT:]

    def _take_order(self, group: str, trade: dict[str, Any]) -> None:
        found = _order_1688(trade) if group == "1688" else _order_taobao(trade) if group == "taobao" else None
        if found is None:
            return
        before = self.orders.pop((group, found.order_id), None)
        if before is not None:
            found.touched = before.touched
            found.waybill = found.waybill or before.waybill
        self.orders[group, found.order_id] = found
        of_group = [key for key in self.orders if key[0] == group]
        for key in of_group[:-MAX_KEPT]:
            del self.orders[key]


def _order_1688(trade: dict[str, Any]) -> KnownOrder | None:
    base = as_object(trade.get("baseInfo"))
    order_id = identifier(base.get("idOfStr"), base.get("id"))
    if order_id is None:
        return None
    items = [as_object(item) for item in as_list(trade.get("productItems"))]
    lines = [identifier(item.get("subItemIDString"), item.get("subItemID")) for item in items]
    parcels = as_list(as_object(trade.get("nativeLogistics")).get("logisticsItems"))
    return KnownOrder(
        order_id=order_id,
        status=text(base.get("status")) or "",
        lines=tuple(line for line in lines if line),
        items=tuple(items),
        total=base.get("totalAmount"),
        waybill=next((text(as_object(one).get("logisticsBillNo")) for one in parcels), None),
    )


def _order_taobao(trade: dict[str, Any]) -> KnownOrder | None:
    order_id = identifier(trade.get("purchase_id"), trade.get("purchaseId"))
    subs = trade.get("sub_purchase_orders") or trade.get("subPurchaseOrders")
    if order_id is None or not isinstance(subs, list):
        return None
    items = [as_object(sub) for sub in subs]
    lines = [identifier(sub.get("sub_purchase_order_id"), sub.get("subPurchaseOrderId")) for sub in items]
    word = text(trade.get("status")) or ""
    return KnownOrder(
        order_id=order_id,
        status=_CODES.get(word, word),
        lines=tuple(line for line in lines if line),
        items=tuple(items),
        total=trade.get("purchase_amount"),
    )


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Yield every object inside, the outer ones first."""
    if isinstance(data, dict):
        yield data
    inside = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    for one in inside:
        yield from _objects(one)


def _named(data: Any, *names: str) -> Iterator[Any]:
    for one in _objects(data):
        yield from (one[name] for name in names if one.get(name) not in (None, ""))


def _fields(data: Any, block: str, field: str) -> Iterator[Any]:
    """Yield a field of the object, or of the objects of the list, that stands under the name of the block."""
    for one in _objects(data):
        held = one.get(block)
        for row in held if isinstance(held, list) else [held]:
            value = as_object(row).get(field)
            if value not in (None, "") and not isinstance(value, dict | list):
                yield value
