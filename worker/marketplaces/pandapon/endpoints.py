"""The operations of PandaPon's 1688 API that are in use, with how sure each path is (marketplace notes 4.1)."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from worker.marketplaces.port import Mark


class EffectClass(StrEnum):
    """What a call may do. Only a safe read is ever retried."""

    SAFE_READ = "safe_read"
    IRREVERSIBLE_EFFECT = "irreversible_effect"


class Endpoint(msgspec.Struct, frozen=True):
    """One operation: its method and path below the account's base URL."""

    name: str
    method: str
    path: str
    effect: EffectClass
    mark: Mark


ORDER_DETAIL = Endpoint("order_detail", "POST", "/alibaba/order/detail", EffectClass.SAFE_READ, Mark.DOCUMENTED)
ORDER_LIST = Endpoint("order_list", "POST", "/v2/alibaba/order/page", EffectClass.SAFE_READ, Mark.DOCUMENTED)
# A GET that pays when the buyer has a payment agreement: not a safe read, whatever its method says.
ORDER_PAY = Endpoint("order_pay", "GET", "/alibaba/order/pay/url", EffectClass.IRREVERSIBLE_EFFECT, Mark.DOCUMENTED)

ENDPOINTS = (ORDER_DETAIL, ORDER_LIST, ORDER_PAY)
LIST_PAGE_SIZE = 20
"""The upstream limit (documented upstream)."""
