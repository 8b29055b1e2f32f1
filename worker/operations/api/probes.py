"""Health for those who start and stop the worker (open to all), metrics for those who watch it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from worker.operations.api.errors import errors
from worker.operations.api.models import words
from worker.operations.health import Health, LoopState

_NO_STORE = {"Cache-Control": "no-store"}


class LoopBody(BaseModel):
    """One loop."""

    state: Annotated[str, words(LoopState)]
    age_s: Annotated[float, Field(description="Seconds since its last progress")]
    stalled_after_s: float
    reason: str | None


class LivenessBody(BaseModel):
    """Whether every loop gets somewhere."""

    live: bool
    reasons: list[str]
    loops: dict[str, LoopBody]


class ReadinessBody(BaseModel):
    """Whether requests should come here."""

    ready: bool
    reasons: list[str]
    loops: dict[str, LoopBody]
    checks: Annotated[dict[str, bool], Field(description="What must answer; empty while starting or shutting down")]


def _bodies(model: type[BaseModel], otherwise: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"model": model}, 503: {"model": model, "description": otherwise}}


def probes_router(health: Health) -> APIRouter:
    """Return /livez and /readyz."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Live?", responses=_bodies(LivenessBody, "Restart me"))
    async def livez() -> Response:
        report = health.live()
        return JSONResponse(msgspec.to_builtins(report), 200 if report.live else 503, _NO_STORE)

    @router.get("/readyz", summary="Ready?", responses=_bodies(ReadinessBody, "No requests, please"))
    async def readyz() -> Response:
        report = await health.ready()
        return JSONResponse(msgspec.to_builtins(report), 200 if report.ready else 503, _NO_STORE)

    return router


def metrics_router() -> APIRouter:
    """Return /metrics."""
    router = APIRouter(tags=["health"])

    @router.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors()},
    )
    async def show_metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
