"""The routes of orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.identity import OrderKey, Platform, valid_account_name, valid_order_id
from worker.operations.api import models, views
from worker.operations.api.cursors import CursorError, read_cursor, write_cursor
from worker.operations.api.errors import ApiError, errors
from worker.operations.api.parameters import OrdersQuery, TimelineQuery
from worker.storage.read_order import get_order
from worker.storage.read_store import Cursor, OrderFilter, OrderPage, cursor_since, list_orders, reading


def orders_router(engine: AsyncEngine) -> APIRouter:
    """Return the routes of orders, read through `engine`."""
    router = APIRouter(prefix="/api/v1/orders", tags=["orders"])

    @router.get("", summary="List orders by their latest change", responses=errors(400, 422, 503))
    async def show_orders(query: Annotated[OrdersQuery, Query()]) -> models.OrderList:
        """List orders, the oldest change first.

        Walk with `next_cursor` until it is null; keep `resume_cursor` and send it later to get what changed since.
        An order that changes during a walk moves to its end.
        """
        wanted = OrderFilter(query.account, query.platform, query.status)
        cursor = _cursor(query, wanted)
        async with reading(engine) as connection:
            page = await list_orders(connection, wanted, cursor, query.limit)
        return _order_list(page, wanted)

    @router.get(
        "/{account}/{platform}/{order_id}",
        summary="Show one order with its lines, parcels, refunds, follow-ups and facts",
        responses=errors(404, 422, 503),
    )
    async def show_order(
        account: str, platform: Platform, order_id: str, query: Annotated[TimelineQuery, Query()]
    ) -> models.Order:
        """Show one order as of one instant; its facts newest last, the newest stretch first."""
        key = OrderKey(account, platform, order_id)
        before = None if query.timeline_before is None else int(query.timeline_before)
        detail = None
        if valid_account_name(account) and valid_order_id(order_id):
            async with reading(engine, one_snapshot=True) as connection:
                detail = await get_order(connection, key, timeline_limit=query.timeline_limit, timeline_before=before)
        if detail is None:
            raise ApiError(404, "not_found", "there is no such order here; an unknown one appears with its first fact")
        return views.order(detail)

    return router


def _cursor(query: OrdersQuery, wanted: OrderFilter) -> Cursor:
    if query.cursor is None:
        return cursor_since(query.updated_since)
    try:
        return read_cursor(query.cursor, wanted)
    except CursorError as error:
        raise ApiError(400, "bad_cursor", str(error)) from error


def _order_list(page: OrderPage, wanted: OrderFilter) -> models.OrderList:
    return models.OrderList(
        orders=[views.order_summary(row) for row in page.orders],
        next_cursor=None if page.following is None else write_cursor(page.following, wanted),
        resume_cursor=write_cursor(page.resume, wanted),
    )
