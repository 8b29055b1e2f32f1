"""The preview of an order: what it would cost, and whether the platform would split it.

Sums are fen, the cargo's amounts are yuan (documented). The spelling `orderPreviewResuslt` is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop.cargo import check_address, read_cargo
from worker.sandbox.aop.form import Form
from worker.sandbox.aop.gateway import Action
from worker.sandbox.ordering import Group, Item
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.tradeinfo import yuan

TRADE_TYPES = ("assureTrade", "alipay")
BEST_FLOW = "general"


def preview(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`createOrder.preview`: one entry per order that would be made."""
    check_address(form)
    flow = form.text("flow")
    groups = read_cargo(sandbox, form, flow)
    return {
        "orderPreviewResuslt": [_entry(group, flow or BEST_FLOW) for group in groups],
        "errorCode": None,
        "errorMsg": None,
        "postFeeByDescOfferList": [],
        "consignOfferList": [],
        "unsupportedCrossBorderPayOfferList": [],
    }


def _entry(group: Group, flow: str) -> dict[str, Any]:
    return {
        "status": True,
        "flowFlag": flow,
        "tradeModeNameList": list(TRADE_TYPES),
        "tradeModelList": [
            {"tradeType": name, "name": name, "description": "", "opSupport": True} for name in TRADE_TYPES
        ],
        "sumPayment": group.goods_fen + group.postage_fen,
        "sumCarriage": group.postage_fen,
        "sumPaymentNoCarriage": group.goods_fen,
        "discountFee": 0,
        "additionalFee": 0,
        "cargoList": [_cargo(item) for item in group.items],
        "shopPromotionList": [],
        "payChannelInfos": [{"name": "alipay", "amountLimit": None}],
        "canUseOfficialSolution": False,
        "totalFundUsageAmount": 0,
    }


def _cargo(item: Item) -> dict[str, Any]:
    """The quantity is not echoed (field)."""
    return {
        "offerId": item.offer.offer_id,
        "specId": item.sku.spec_id,
        "skuId": item.sku.sku_id,
        "amount": yuan(item.amount_fen),
        "finalUnitPrice": yuan(item.sku.price_fen),
        "resultCode": "200",
        "message": None,
        "cargoPromotionList": [],
    }


ACTIONS: Mapping[str, Action] = {"1688.order.preview": preview}
