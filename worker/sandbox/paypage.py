"""The page a pay URL points to: a person looks, and presses a button."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from worker.sandbox.order import Order
from worker.sandbox.sandbox import Sandbox

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox pay page</title>
<h1>Order {order_id}</h1><p>{text}</p>{form}</html>"""
_FORM = '<form method="post"><button>Pay CNY {amount}</button></form>'


def pay_page_routes(sandbox: Sandbox) -> list[Route]:
    """`GET` shows, `POST` pays as a person would."""

    async def page(request: Request) -> HTMLResponse:
        order = sandbox.world.orders.get(request.path_params["order_id"])
        if order is None:
            return HTMLResponse("<h1>Order not found</h1>", 404)
        if request.method != "POST":
            return _show(order)
        sandbox.traffic.calls["pay_page"] += 1
        if sandbox.world.pay(order, "page") == "taken":
            return HTMLResponse(_PAGE.format(order_id=order.order_id, text="Thank you, paid.", form=""))
        return _show(order, 409)

    return [Route("/_sandbox/pay/{order_id}", page, methods=["GET", "POST"])]


def _show(order: Order, status: int = 200) -> HTMLResponse:
    if order.payable:
        amount = f"{order.total_fen // 100}.{order.total_fen % 100:02d}"
        text, form = f"To be paid: CNY {amount}", _FORM.format(amount=amount)
    else:
        text, form = ("Already paid." if order.paid else "The order is closed."), ""
    return HTMLResponse(_PAGE.format(order_id=order.order_id, text=text, form=form), status)
