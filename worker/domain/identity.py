"""What names an order everywhere: Kafka key, tables, URLs, command line."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

MAX_ORDER_ID = 64
_ORDER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Platform(StrEnum):
    """Where the order lives. One PandaPon account buys on both."""

    ALIBABA_1688 = "1688"
    TAOBAO = "taobao"


class OrderKey(msgspec.Struct, frozen=True, order=True):
    """`account/platform/order_id`; the id is text from end to end, since 19 digits do not survive a float."""

    account: str
    platform: Platform
    order_id: str

    def __str__(self) -> str:
        return f"{self.account}/{self.platform.value}/{self.order_id}"


def valid_order_id(value: str) -> bool:
    """Tell whether `value` can be an order id: short, printable ASCII, safe in a path and a log line."""
    return _ORDER_ID.fullmatch(value) is not None


def valid_account_name(value: str) -> bool:
    """Tell whether `value` can name an account (it stands in URLs, keys and metric labels)."""
    return _ACCOUNT.fullmatch(value) is not None
