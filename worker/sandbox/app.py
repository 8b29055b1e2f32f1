"""The ASGI application around a sandbox."""

from __future__ import annotations

from starlette.applications import Starlette

from worker.sandbox.actions import ACTIONS
from worker.sandbox.control import control_routes
from worker.sandbox.menu import menu_routes
from worker.sandbox.paypage import pay_page_routes
from worker.sandbox.sandbox import Sandbox


def create_app(sandbox: Sandbox) -> Starlette:
    """The marketplace's endpoints, the pay page and the control endpoints."""
    return Starlette(routes=[*menu_routes(sandbox, ACTIONS), *pay_page_routes(sandbox), *control_routes(sandbox)])
