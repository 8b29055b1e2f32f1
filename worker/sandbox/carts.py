"""A cart: rows of buyers, each naming one sku."""

from __future__ import annotations

from dataclasses import dataclass

from worker.sandbox.codes import Refused

FIRST_CART_ID = 7_000_000_000_000_000_001
"""Beyond 2^53, as the ids of orders."""
MAX_ROWS = 500
"""Of one buyer."""


@dataclass(slots=True)
class CartRow:
    """So many pieces of one sku."""

    cart_id: int
    user_id: str
    item_id: int
    sku_id: int
    quantity: int


class Cart:
    """The carts of all buyers of one platform."""

    def __init__(self) -> None:
        self._rows: dict[int, CartRow] = {}
        self._made = 0

    def of(self, user_id: str) -> list[CartRow]:
        """One buyer's rows, newest first."""
        return [row for row in reversed(self._rows.values()) if row.user_id == user_id]

    def add(self, user_id: str, item_id: int, sku_id: int, quantity: int) -> CartRow:
        """Put something in; more of what is there already adds up."""
        rows = self.of(user_id)
        for row in rows:
            if (row.item_id, row.sku_id) == (item_id, sku_id):
                row.quantity += quantity
                return row
        if len(rows) >= MAX_ROWS:
            raise Refused(40920, f"the cart holds {MAX_ROWS} rows at most")
        row = CartRow(FIRST_CART_ID + 2 * self._made, user_id, item_id, sku_id, quantity)
        self._made += 1
        self._rows[row.cart_id] = row
        return row

    def find(self, user_id: str, cart_ids: list[str]) -> list[CartRow]:
        """The rows of these ids, or a refusal: rows of another buyer are none."""
        wanted = [self._rows.get(int(cart_id)) for cart_id in dict.fromkeys(cart_ids)]
        found = [row for row in wanted if row is not None and row.user_id == user_id]
        if not found or len(found) < len(wanted):
            raise Refused(40403, ", ".join(cart_ids))
        return found

    def take(self, user_id: str, cart_ids: list[str]) -> list[CartRow]:
        """Take rows out: all of them, or none."""
        found = self.find(user_id, cart_ids)
        for row in found:
            del self._rows[row.cart_id]
        return found
