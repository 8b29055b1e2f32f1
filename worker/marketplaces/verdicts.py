"""What the failure of an effect means, by operation and code, each with how sure that is.

A failure that stands nowhere here is unclear: it may have happened. Payments and receipts stand nowhere on purpose:
"failed" has been said of money that was taken, and no page documents a failure of theirs as definite.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from worker.catalogue.operation import Dialect, Mark
from worker.marketplaces.port import AmbiguousError, MarketplaceError, RejectedError


class Meaning(StrEnum):
    """Nothing happened, and asking again would not help, or would help later."""

    REFUSED = "refused"
    NOT_NOW = "not_now"


class Ruling(msgspec.Struct, frozen=True):
    """What a code means, and how sure that is."""

    meaning: Meaning
    mark: Mark


_NO: Final = Ruling(Meaning.REFUSED, Mark.DOCUMENTED)
_LATER: Final = Ruling(Meaning.NOT_NOW, Mark.DOCUMENTED)
RULINGS: Final[dict[tuple[Dialect, str], dict[str, Ruling]]] = {
    (Dialect.ALIBABA1688, "1688.order.cancel"): {
        "CLOSE_ORDER_TOO_FAST": _LATER,  # within ten seconds of its creation
        "ORDER_STATUS_ERROR": _NO,
        "ORDER_NOT_EXIST": _NO,
        "400_3": _NO,
        # The gateway refuses these before it asks the operation (field: the order of its checks).
        "gw.QosAppFrequencyLimit": Ruling(Meaning.NOT_NOW, Mark.FIELD),
        "gw.QosRequestLimit": Ruling(Meaning.NOT_NOW, Mark.FIELD),
        "gw.APIACLDecline": Ruling(Meaning.REFUSED, Mark.FIELD),
        "gw.ParamMissing": Ruling(Meaning.REFUSED, Mark.FIELD),
    },
}
"""Codes by operation."""

REFUSABLE: Final = frozenset(
    {
        "1688.order.cancel",
        "taobao.order.cancel",
        "warehouse.domestic_logistics.update",
        "warehouse.freight.book",
    }
)
"""Operations of PandaPon and Xport whose plain refusal (a code of the kind 400, 404, 409) counts as a definite no.

Inferred, hence switchable per account (`definite_refusals`): their table of codes is not published.
"""


def ruling_of(
    dialect: Dialect, operation: str, error: MarketplaceError, *, definite_refusals: bool = True
) -> Ruling | None:
    """Return what the failure means, None if the effect may have happened."""
    cause = error.__cause__ if isinstance(error, AmbiguousError) else error
    if not isinstance(cause, MarketplaceError):
        return None
    known = RULINGS.get((dialect, operation), {}).get(cause.code or "")
    if known is not None:
        return known
    if dialect is Dialect.ALIBABA1688 or operation not in REFUSABLE or not definite_refusals:
        return None
    return Ruling(Meaning.REFUSED, Mark.INFERRED) if isinstance(cause, RejectedError) else None
