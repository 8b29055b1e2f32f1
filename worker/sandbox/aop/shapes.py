"""The shapes in which operations say yes and no: four families, with the manual's misspellings (notes 1.5).

A success comes from its action as the fields beside the verdict; a shape adds the verdict.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec


class Wrap(Enum):
    """Where the verdict stands."""

    FLAT = "flat"
    """`success`, a code and a text, beside the data."""
    INNER = "inner"
    """All of that inside of `result`, whose own `result` has the data."""
    IN_RESULT = "in_result"
    """`result` has the verdict and the data side by side."""
    MIXED = "mixed"
    """Outside, and once more inside of `result`."""
    BARE = "bare"
    """A success says nothing of itself."""


class Shape(msgspec.Struct, frozen=True):
    """How one operation speaks. `as_text`: its booleans are the words "true" and "false"."""

    wrap: Wrap = Wrap.FLAT
    code: str = "errorCode"
    text: str = "errorMessage"
    as_text: bool = False

    def yes(self, data: Any) -> Any:
        """The answer of a success."""
        true = self._flag(value=True)
        match self.wrap:
            case Wrap.BARE:
                return data
            case Wrap.FLAT:
                return {**data, "success": true}
            case Wrap.IN_RESULT:
                return {"result": {**data, "success": true}}
            case Wrap.INNER:
                return {"result": {"success": true, "code": "200", "message": "操作成功", "result": data}}
            case Wrap.MIXED:
                inner = {"success": true, "code": "200", "message": None} | data
                return {"result": inner, "success": inner["success"], "code": "200", "message": None}

    def no(self, code: str, text: str) -> dict[str, Any]:
        """The answer of a refusal."""
        verdict = {"success": self._flag(value=False), self.code: code, self.text: text}
        match self.wrap:
            case Wrap.INNER | Wrap.IN_RESULT:
                return {"result": verdict | ({"result": None} if self.wrap is Wrap.INNER else {})}
            case Wrap.MIXED:
                return verdict | {"result": verdict | {"orderId": "", "orderList": None}}
        return verdict

    def _flag(self, *, value: bool) -> bool | str:
        return str(value).lower() if self.as_text else value


_OLD = Shape()
_BARE = Shape(Wrap.BARE)
_NEW = Shape(Wrap.INNER, "code", "message")
_NEW_TEXT = Shape(Wrap.INNER, "code", "message", as_text=True)
_MIXED = Shape(Wrap.MIXED, "code", "message")
_RECEIPT = Shape(Wrap.IN_RESULT, "errorCode", "errorInfo")
_REFUND_READ = Shape(Wrap.IN_RESULT)

SHAPES: dict[str, Shape] = {
    "system.time": _BARE,
    "auth.token.exchange": _BARE,
    "auth.token.refresh": _BARE,
    "auth.token.postpone": _BARE,
    "1688.order.preview": Shape(text="errorMsg"),
    "1688.order.create": _MIXED,
    "1688.order.fast_create": _MIXED,
    "1688.order.list": _BARE,
    "1688.order.detail": Shape(as_text=True),
    "1688.order.logistics": _OLD,
    "1688.order.trace": _OLD,
    "1688.logistics.companies": _OLD,
    "1688.order.cancel": _OLD,
    "1688.order.confirm_receipt": _RECEIPT,
    "1688.payment.agreement": _NEW,
    "1688.payment.prepare": _NEW,
    "1688.payment.url": Shape(text="erroMsg"),
    "1688.payment.ways": Shape(text="errorMsg", as_text=True),
    "1688.refund.list": _REFUND_READ,
    "1688.refund.by_order": _REFUND_READ,
    "1688.refund.detail": _REFUND_READ,
    "1688.refund.operations": _REFUND_READ,
    "1688.refund.reasons": _NEW,
    "1688.refund.max_fee": _NEW,
    "1688.refund.upload_voucher": _NEW,
    "1688.refund.create": _NEW,
    "1688.refund.cancel": _NEW,
    "1688.refund.return_goods": _RECEIPT,
    "messages.failed.list": _BARE,
    "messages.failed.take": _BARE,
    "messages.failed.confirm": _BARE,
    "1688.goods.image_upload": _NEW_TEXT,
    "1688.goods.image_search": _NEW_TEXT,
    "1688.goods.image_search_direct": _OLD,
    "1688.goods.keyword_search": _NEW_TEXT,
    "1688.goods.detail": _NEW_TEXT,
    "1688.goods.shop_search": _NEW_TEXT,
    "1688.goods.recommend": _NEW_TEXT,
}
"""By operation. Documented where the notes name the fields; the refund reads and `cancelRefund` are inferred."""
