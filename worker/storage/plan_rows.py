"""The plan of an order as it is joined to the order's row: columns under `plan_…`, all null where nobody planned."""

from __future__ import annotations

from typing import Any

import msgspec

from worker.domain.plans import NO_PLAN, Freight, StandingPlan

JOIN_PLANS = "LEFT JOIN plans p ON p.account = o.account AND p.platform = o.platform AND p.order_id = o.order_id"
# json as text: it is decoded typed
PLAN_OUTPUTS = """
    p.version AS plan_version, p.planned_total_minor AS plan_total, p.own_order_number AS plan_number,
    p.auto_pay AS plan_auto_pay, p.cancel_reason AS plan_cancel_reason, CAST(p.receiver AS text) AS plan_receiver,
    CAST(p.freight AS text) AS plan_freight, p.requested_by AS plan_requested_by
"""
_RECEIVER = msgspec.json.Decoder(dict[str, str])
_FREIGHT = msgspec.json.Decoder(Freight)


def plan_of(row: Any) -> StandingPlan:
    """Return the plan that stands in a row with `PLAN_OUTPUTS`."""
    if row.plan_version is None:
        return NO_PLAN
    return StandingPlan(
        planned_total=row.plan_total,
        own_order_number=row.plan_number,
        auto_pay=row.plan_auto_pay,
        cancel_reason=row.plan_cancel_reason,
        receiver=None if row.plan_receiver is None else _RECEIVER.decode(row.plan_receiver),
        freight=None if row.plan_freight is None else _FREIGHT.decode(row.plan_freight),
        version=row.plan_version,
        requested_by=row.plan_requested_by,
    )
