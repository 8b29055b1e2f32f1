"""The marketplace's endpoints, as far as they are simulated: detail, list and pay URL of 1688 orders.

Which of the v1 and v2 paths exist on the real host is only partly documented; the twin answers both alike.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from worker.sandbox.codes import Refused
from worker.sandbox.gateway import Gateway, read_body
from worker.sandbox.order import Order
from worker.sandbox.sandbox import Sandbox
from worker.sandbox.timetext import read_stamp

LIST_STATUSES = ("success", "cancel", "waitbuyerpay", "waitsellersend", "waitbuyerreceive")
"""Documented upstream: the only values the list's filter knows."""

MAX_ID_DIGITS = 19


class DetailCall(msgspec.Struct, frozen=True, rename="camel"):
    """Body of the order detail."""

    web_site: str
    order_id: int | str

    @property
    def key(self) -> str:
        """The id as text."""
        return str(self.order_id)


class ListCall(msgspec.Struct, frozen=True, rename="camel"):
    """Body of the order list; times as `yyyyMMddHHmmssSSS+0800`, both ends included."""

    page: int = 1
    page_size: int = 20
    modify_start_time: str | None = None
    modify_end_time: str | None = None
    create_start_time: str | None = None
    create_end_time: str | None = None
    order_status: str | None = None

    @property
    def key(self) -> str:
        """A list is about no single order."""
        return "list"


class PayCall(msgspec.Struct, frozen=True):
    """Query of the pay URL."""

    order_id: str
    page_base: str

    @property
    def key(self) -> str:
        """The id as text."""
        return self.order_id


def api_routes(sandbox: Sandbox) -> list[Route]:
    """Routes under both prefixes."""
    gateway = Gateway(sandbox)

    async def detail(request: Request) -> Response:
        return await gateway.serve(request, "detail", _read_detail, lambda call: _detail(sandbox, call))

    async def page(request: Request) -> Response:
        return await gateway.serve(request, "list", _read_list, lambda call: _page(sandbox, call))

    async def pay_url(request: Request) -> Response:
        return await gateway.serve(request, "pay", _read_pay, lambda call: _pay(sandbox, call))

    return [
        route
        for prefix in ("", "/v2")
        for route in (
            Route(f"{prefix}/alibaba/order/detail", detail, methods=["POST"]),
            Route(f"{prefix}/alibaba/order/page", page, methods=["POST"]),
            Route(f"{prefix}/alibaba/order/pay/url", pay_url, methods=["GET"]),
        )
    ]


async def _read_detail(request: Request) -> DetailCall:
    try:
        call = msgspec.json.decode(await read_body(request), type=DetailCall)
    except msgspec.DecodeError as error:
        raise Refused(40001, str(error)) from error
    if call.web_site != "1688":
        raise Refused(40000, 'webSite: expected "1688"')
    _check_id(call.key)
    return call


async def _read_list(request: Request) -> ListCall:
    try:
        return msgspec.json.decode(await read_body(request), type=ListCall)
    except msgspec.DecodeError as error:
        raise Refused(40001, str(error)) from error


async def _read_pay(request: Request) -> PayCall:
    order_id = request.query_params.get("orderId", "")
    _check_id(order_id)
    return PayCall(order_id, str(request.base_url))


def _check_id(order_id: str) -> None:
    if not (order_id.isascii() and order_id.isdigit() and len(order_id) <= MAX_ID_DIGITS):
        raise Refused(40000, "orderId: expected up to 19 digits")


def _order(sandbox: Sandbox, order_id: str) -> Order:
    order = sandbox.world.orders.get(order_id)
    if order is None:
        raise Refused(40400, order_id)
    return order


def _detail(sandbox: Sandbox, call: DetailCall) -> dict[str, Any]:
    return sandbox.world.shown(_order(sandbox, call.key))


def _moment(text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return read_stamp(text)
    except ValueError as error:
        raise Refused(40003, text) from error


def _page(sandbox: Sandbox, call: ListCall) -> dict[str, Any]:
    """Newest change first. Between two calls the pages drift, as they would upstream."""
    if call.page < 1:
        raise Refused(40000, "page: expected 1 or more")
    if not 1 <= call.page_size <= sandbox.config.max_page_size:
        raise Refused(40002, f"pageSize: expected 1 to {sandbox.config.max_page_size}")
    if call.order_status is not None and call.order_status not in LIST_STATUSES:
        raise Refused(40000, f"orderStatus: expected one of {', '.join(LIST_STATUSES)}")
    found = _matching(sandbox, call)
    first = (call.page - 1) * call.page_size
    return {
        "totalRecords": len(found),
        "totalPage": -(-len(found) // call.page_size),
        "pageSize": call.page_size,
        "currentPage": call.page,
        "data": [sandbox.world.shown(order, parcels=False) for order in found[first : first + call.page_size]],
    }


def _matching(sandbox: Sandbox, call: ListCall) -> list[Order]:
    far = 2**62
    modified = range(_moment(call.modify_start_time, 0), _moment(call.modify_end_time, far) + 1)
    created = range(_moment(call.create_start_time, 0), _moment(call.create_end_time, far) + 1)
    found = [
        order
        for order in sandbox.world.orders.values()
        if order.modified_ms in modified and order.created_ms in created and call.order_status in (None, order.status)
    ]
    return sorted(found, key=lambda order: (order.modified_ms, order.life.number), reverse=True)


def _pay(sandbox: Sandbox, call: PayCall) -> dict[str, Any]:
    """Pays at once where an agreement exists; otherwise a person has to follow `payUrl`."""
    order = _order(sandbox, call.order_id)
    if not order.payable:
        raise Refused(40900 if order.paid else 40901, order.order_id)
    pay_url = None
    if order.life.agreement:
        sandbox.world.pay(order, "agreement")
    else:
        pay_url = f"{call.page_base}_sandbox/pay/{order.order_id}"
        sandbox.world.give_pay_url(order)
    return {
        "orderId": order.order_id,
        "protocolPaySuccess": order.life.agreement,
        "payUrl": pay_url,
        "cantPayOrderList": [],
    }
