"""Every operation of the PandaPon and Xport menus that the twin answers."""

from __future__ import annotations

from collections.abc import Mapping

from worker.catalogue.operation import Dialect
from worker.sandbox import address_actions, trade_actions, warehouse_actions
from worker.sandbox.menu import Action
from worker.sandbox.taobao import actions as taobao_actions
from worker.sandbox.taobao import after_sales

ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    **trade_actions.ACTIONS,
    **warehouse_actions.ACTIONS,
    **address_actions.ACTIONS,
    **taobao_actions.ACTIONS,
    **after_sales.ACTIONS,
}
