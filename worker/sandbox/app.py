"""The ASGI application around a sandbox."""

from __future__ import annotations

from starlette.applications import Starlette

from worker.sandbox.actions import ACTIONS
from worker.sandbox.aop.actions import ACTIONS as OPEN_ACTIONS
from worker.sandbox.aop.control import open_control_routes
from worker.sandbox.aop.gateway import OpenGateway
from worker.sandbox.control import control_routes
from worker.sandbox.menu import menu_routes
from worker.sandbox.paypage import pay_page_routes
from worker.sandbox.pictures import picture_routes
from worker.sandbox.sandbox import Sandbox


def create_app(sandbox: Sandbox) -> Starlette:
    """The marketplace's endpoints, the pay page, the pictures and the control endpoints."""
    return Starlette(
        routes=[
            *menu_routes(sandbox, ACTIONS),
            *OpenGateway(sandbox, OPEN_ACTIONS).routes(),
            *open_control_routes(sandbox),
            *pay_page_routes(sandbox),
            *picture_routes(),
            *control_routes(sandbox),
        ]
    )
