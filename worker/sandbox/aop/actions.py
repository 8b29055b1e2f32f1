"""Every operation of the open platform that the twin answers."""

from __future__ import annotations

from collections.abc import Mapping

from worker.sandbox.aop import (
    authorisation,
    buying,
    goods,
    logistics,
    messages,
    orders,
    payments,
    preview,
    refund_reads,
    refund_writes,
)
from worker.sandbox.aop.gateway import Action

ACTIONS: Mapping[str, Action] = {
    **authorisation.ACTIONS,
    **orders.ACTIONS,
    **logistics.ACTIONS,
    **payments.ACTIONS,
    **refund_reads.ACTIONS,
    **refund_writes.ACTIONS,
    **messages.ACTIONS,
    **goods.ACTIONS,
    **preview.ACTIONS,
    **buying.ACTIONS,
}
