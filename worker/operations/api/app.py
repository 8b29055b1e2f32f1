"""The application: routes, errors in one shape, and an OpenAPI document without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.topics import CONSUMED
from worker.domain.policy import Policy
from worker.operations.access import Access
from worker.operations.api.alerts import alerts_router
from worker.operations.api.audit_log import audit_log_router
from worker.operations.api.dead_letters import dead_letter_actions_router, dead_letters_router
from worker.operations.api.errors import install_error_handlers
from worker.operations.api.follow_ups import follow_ups_router
from worker.operations.api.guard import BEARER, guarded
from worker.operations.api.orders import orders_router
from worker.operations.api.pauses import pauses_router
from worker.operations.api.plans import plans_router
from worker.operations.api.probes import metrics_router, probes_router
from worker.operations.health import Health
from worker.storage.decision_rows import policies_of

_DESCRIPTION = """\
Orders as the marketplaces show them, with where each piece of knowledge came from.

* Money: integer minor units with a currency. Instants: RFC 3339, UTC. Ids: text.
* Words of our own (status, state, kind, ...) may become more: treat an unknown one as such.
* Errors: one shape for all, `{"error": {"code", "message"}}`.
* Decisions (approve, reject, retry, resolve, plans, pauses) need an operator's token, a role and a reason; each is in
  the audit log. What was refused says what to do, and has changed nothing.
* To follow changes, list with `resume_cursor` again and again: see `GET /api/v1/orders`.
"""


def create_api(
    engine: AsyncEngine,
    *,
    access: Access,
    health: Health,
    version: str,
    policies: Mapping[str, Policy],
    topics: Sequence[str] = CONSUMED,
) -> FastAPI:
    """Return the API. It works through `engine`, and lets in whom `access` lets in.

    `policies`: the configured accounts, and what each allows. `topics`: what is consumed.
    """
    api = FastAPI(
        title="order-sync-worker",
        version=version,
        description=_DESCRIPTION,
        docs_url=None,  # the built-in pages load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    install_error_handlers(api)
    kept = [Depends(guarded(access)), Depends(BEARER)]
    for router in (
        orders_router(engine),
        follow_ups_router(engine, policies_of(policies)),
        plans_router(engine, policies),
        pauses_router(engine, policies),
        audit_log_router(engine),
        alerts_router(engine),
        dead_letters_router(engine),
        dead_letter_actions_router(engine, topics),
        metrics_router(),
    ):
        api.include_router(router, dependencies=kept)
    api.include_router(probes_router(health))
    return api
