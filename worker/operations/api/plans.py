"""The routes of plans: what other systems expect of an order, before or after it is seen."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.domain.identity import OrderKey, Platform, valid_order_id
from worker.domain.operators import Actor, RefusalKind, RefusedError, Role, require, stated
from worker.domain.plans import PlanError, read_plan
from worker.operations.api.errors import errors
from worker.operations.api.guard import Caller
from worker.operations.api.ledger_models import Reason
from worker.storage import plan_store
from worker.storage.engine import transaction
from worker.storage.read_store import reading, telling_away

_FORBID = ConfigDict(extra="forbid", hide_input_in_errors=True)
_Yuan = Annotated[StrictStr | None, Field(description='Yuan as text, such as "123.45"', examples=["123.45"])]


class Receiver(BaseModel):
    """Whom the goods go to. Shown to operators and approvers alone; never logged, never published."""

    model_config = _FORBID

    name: StrictStr
    country: Annotated[StrictStr, Field(description="ISO 3166-1 alpha-2", examples=["US"])]
    address: StrictStr
    city: StrictStr | None = None
    state: StrictStr | None = None
    district: StrictStr | None = None
    zip: StrictStr | None = None
    phone: StrictStr | None = None
    mobile: StrictStr | None = None
    email: StrictStr | None = None
    tax_id: StrictStr | None = None


class FreightService(BaseModel):
    """The international service to book."""

    model_config = _FORBID

    service_id: StrictStr
    company: StrictStr
    category: StrictStr
    max_price: Annotated[StrictStr | None, Field(description="The most that it may cost, as text")] = None
    currency: Annotated[StrictStr | None, Field(description="Of max_price; CNY if left out")] = None
    remark: StrictStr | None = None


class PlanFields(BaseModel):
    """What is expected. null: nothing; the account's rules decide, and no plan ever widens them."""

    model_config = _FORBID

    planned_total: _Yuan = None
    own_order_number: StrictStr | None = None
    auto_pay: Annotated[StrictBool | None, Field(description="false: a person must approve")] = None
    cancel_reason: Annotated[StrictStr | None, Field(description="Cancel the order while unpaid, for this")] = None
    freight: FreightService | None = None


class PlanBody(PlanFields):
    """A whole plan: what is left out is no longer planned."""

    receiver: Receiver | None = None
    reason: Reason


class PlanAnswer(BaseModel):
    """What came of it. The same plan again is the same version."""

    version: int
    changed: bool
    known: Annotated[bool, Field(description="The order has been seen; it is read afresh and judged by this plan")]


class PlanVersion(BaseModel):
    """One version of the plan."""

    version: int
    requested_by: str
    created_at: datetime


class PlanShown(PlanFields):
    """The plan as it is now."""

    version: int
    requested_by: str
    created_at: datetime
    updated_at: datetime
    has_receiver: bool
    receiver: Annotated[Receiver | None, Field(description="null for viewers, whether there is one or not")]
    history: Annotated[list[PlanVersion], Field(description="The latest versions, newest first")]


def plans_router(engine: AsyncEngine, accounts: Collection[str]) -> APIRouter:
    """Return the routes of plans for orders of the configured `accounts`."""
    router = APIRouter(prefix="/api/v1/plans", tags=["plans"])

    @router.get("/{account}/{platform}/{order_id}", summary="Show an order's plan", responses=errors(404, 422, 503))
    async def show_plan(account: str, platform: Platform, order_id: str, caller: Caller) -> PlanShown:
        key = _key(account, platform, order_id, accounts)
        async with reading(engine, one_snapshot=True) as connection:
            found = await plan_store.get(connection, key)
        if found is None:
            raise RefusedError(RefusalKind.NOT_FOUND, f"there is no plan for {key}; PUT one here")
        return _shown(found, caller)

    @router.put("/{account}/{platform}/{order_id}", summary="Plan an order", responses=errors(404, 422, 503))
    async def put_plan(account: str, platform: Platform, order_id: str, body: PlanBody, caller: Caller) -> PlanAnswer:
        """Make this the order's plan (role operator), whether the order has been seen or not."""
        require(caller, "plan orders", Role.OPERATOR)
        key = _key(account, platform, order_id, accounts)
        reason = stated(body.reason)
        try:
            plan = read_plan(body.model_dump(exclude={"reason"}, exclude_none=True))
        except PlanError as error:
            raise RefusedError(RefusalKind.INVALID, str(error)) from error
        with telling_away():
            async with transaction(engine) as connection:
                done = await plan_store.put(connection, key, plan, requested_by=caller.name, reason=reason)
        return PlanAnswer(version=done.version, changed=done.changed, known=done.known)

    return router


def _key(account: str, platform: Platform, order_id: str, accounts: Collection[str]) -> OrderKey:
    if account not in accounts:
        known = ", ".join(sorted(accounts))
        raise RefusedError(RefusalKind.NOT_FOUND, f"there is no account of this name here; expected one of {known}")
    if not valid_order_id(order_id):
        raise RefusedError(RefusalKind.INVALID, "order_id: expected 1 to 64 letters, digits, dots, - or _")
    return OrderKey(account, platform, order_id)


def _shown(found: plan_store.StoredPlan, caller: Actor) -> PlanShown:
    content = dict(found.content)
    receiver = content.pop("receiver", None)
    may_see = caller.has_any(Role.OPERATOR, Role.APPROVER)
    return PlanShown(
        **content,
        version=found.version,
        requested_by=found.requested_by,
        created_at=found.created_at,
        updated_at=found.updated_at,
        has_receiver=receiver is not None,
        receiver=Receiver(**receiver) if receiver is not None and may_see else None,
        history=[PlanVersion(**row) for row in found.history],
    )
