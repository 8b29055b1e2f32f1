"""The order-sync worker: callbacks and polls in, events on Kafka, a true order model in Postgres, calls out."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    """Return the installed version, `0` when running from a bare checkout."""
    try:
        return metadata.version("order-sync-worker")
    except metadata.PackageNotFoundError:
        return "0"
