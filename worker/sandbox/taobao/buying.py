"""Previewing and creating purchase orders: lines of several sellers become several orders.

Answers follow the upstream's objects (inferred). No idempotency key is known to PandaPon: a second call with the same
order number of the shop creates a second order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from worker.sandbox.codes import Refused
from worker.sandbox.goods import Goods
from worker.sandbox.ledgers import Created
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.taobao.script import write_life

RECEIVER_FIELDS = ("name", "address", "city", "state", "country")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of what is asked for, found on the shelf."""

    goods: Goods
    seller_no: int
    line_no: str


def preview(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """What it would cost, per seller; unknown skus are named, not refused."""
    _check_receiver(call)
    found, missing = _wanted(sandbox, call, need_line_no=False)
    groups = _by_seller(found)
    postage = {seller_no: _postage_fen(seller_no) for seller_no in groups}
    return {
        "renderItemList": [
            {
                "nick": sandbox.shelf.seller(seller_no).login_id,
                "sellerId": seller_no,
                "itemPriceInfos": [
                    {
                        "itemId": str(line.goods.product_id),
                        "skuId": str(line.goods.sku_id),
                        "quantity": line.goods.quantity,
                        "originPrice": {"amount": line.goods.price_fen, "currency": "CNY"},
                        "discountPrice": {"amount": line.goods.price_fen, "currency": "CNY"},
                    }
                    for line in lines
                ],
                "mainlandShippingFee": {"amount": postage[seller_no], "currency": "CNY"},
                "orderFee": {"amount": _goods_fen(lines) + postage[seller_no], "currency": "CNY"},
            }
            for seller_no, lines in groups.items()
        ],
        "unavailableSkuList": missing,
        "totalRealPayPrice": {"amount": _goods_fen(found) + sum(postage.values()), "currency": "CNY"},
    }


def create(sandbox: Sandbox, call: Parameters) -> dict[str, Any]:
    """One purchase order per seller. The budget is for all of them; above it nothing is created."""
    _check_receiver(call)
    found, missing = _wanted(sandbox, call, need_line_no=True)
    if missing:
        raise Refused(40402, missing[0]["itemId"])
    return create_orders(sandbox, found, call)


def create_orders(sandbox: Sandbox, found: list[Wanted], call: Parameters) -> dict[str, Any]:
    """Create what was found; shared with the cart.

    Raises:
        Refused: it would cost more than `purchaseAmount`.
    """
    groups = _by_seller(found)
    total_fen = _goods_fen(found) + sum(_postage_fen(seller_no) for seller_no in groups)
    if call.has("purchaseAmount") and call.integer("purchaseAmount") < total_fen:
        raise Refused(40920, f"costs {total_fen} fen, more than purchaseAmount")
    external = str(call.values["sellerOrderNumber"]) if call.has("sellerOrderNumber") else None
    rows = []
    for seller_no, lines in groups.items():
        goods = tuple(line.goods for line in lines)
        life = write_life(sandbox.config.seed, sandbox.taobao.take_number(), goods)
        life = replace(life, seller=sandbox.shelf.seller(seller_no), postage_fen=_postage_fen(seller_no))
        order = sandbox.taobao.create(life)
        order.seller_order_number = external
        order.order_source = call.values.get("orderSource")
        sandbox.taobao.history.keep(order)
        sandbox.ledgers.created.append(
            Created(order.order_id, order.total_fen, sandbox.now_ms(), external, platform="taobao")
        )
        rows.append(
            {
                "purchaseId": life.purchase_id,
                "supplierNick": life.seller.login_id,
                "estimateAmount": order.total_fen,
                "estimateCurrency": "CNY",
                "orderLineList": [
                    {
                        "itemId": str(line.goods.product_id),
                        "orderLineNo": line.line_no,
                        "quantity": line.goods.quantity,
                        "subPurchaseOrderId": sub.sub_id,
                        "skuId": str(line.goods.sku_id),
                    }
                    for line, sub in zip(lines, order.subs, strict=True)
                ],
            }
        )
    return {"success": True, "outerPurchaseId": external, "orderList": rows}


def _wanted(sandbox: Sandbox, call: Parameters, *, need_line_no: bool) -> tuple[list[Wanted], list[dict[str, Any]]]:
    found, missing = [], []
    for row in call.rows("orderLineList"):
        quantity = row.integer("quantity")
        if quantity < 1:
            raise Refused(40000, "orderLineList.quantity: expected 1 or more")
        item_id, sku_id = row.id("itemId"), row.id("skuId")
        line_no = row.text("orderLineNo") if need_line_no else ""
        article = sandbox.shelf.find(int(item_id))
        goods = None if article is None else article.sku(sku_id)
        if article is None or goods is None:
            reason = {"reason": "not for sale", "errorCode": "SANDBOX_UNKNOWN_SKU", "errorMsg": "not for sale"}
            missing.append({"itemId": item_id, "skuId": sku_id} | reason)
        else:
            found.append(Wanted(replace(goods, quantity=quantity), article.seller_no, line_no))
    return found, missing


def _by_seller(lines: list[Wanted]) -> dict[int, list[Wanted]]:
    groups: dict[int, list[Wanted]] = {}
    for line in lines:
        groups.setdefault(line.seller_no, []).append(line)
    return groups


def _goods_fen(lines: list[Wanted]) -> int:
    return sum(line.goods.price_fen * line.goods.quantity for line in lines)


def _postage_fen(seller_no: int) -> int:
    return (0, 600, 1000)[seller_no % 3]


def _check_receiver(call: Parameters) -> None:
    receiver = call.inside("receiver")
    for name in RECEIVER_FIELDS:
        if not receiver.text(name):
            raise Refused(40000, f"receiver.{name}: missing")
