"""Every operation of the PandaPon and Xport menus."""

from __future__ import annotations

from collections.abc import Mapping

from worker.catalogue.operation import Dialect
from worker.sandbox import (
    address_actions,
    buying_actions,
    goods_actions,
    refund_actions,
    trade_actions,
    warehouse_actions,
)
from worker.sandbox.menu import Action
from worker.sandbox.taobao import actions as taobao_actions
from worker.sandbox.taobao import after_sales as taobao_after_sales
from worker.sandbox.taobao import goods as taobao_goods

ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    **goods_actions.ACTIONS,
    **buying_actions.ACTIONS,
    **trade_actions.ACTIONS,
    **refund_actions.ACTIONS,
    **taobao_goods.ACTIONS,
    **taobao_actions.ACTIONS,
    **taobao_after_sales.ACTIONS,
    **address_actions.ACTIONS,
    **warehouse_actions.ACTIONS,
}
