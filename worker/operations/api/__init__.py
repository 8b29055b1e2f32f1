"""The read API: orders, alerts and dead letters for programs; health and metrics for those who run the worker."""

from worker.operations.api.app import create_api

__all__ = ["create_api"]
