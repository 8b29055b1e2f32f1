"""Logging: JSON lines on stderr. What could be a secret, an address or a phone number never gets into an event."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_FORBIDDEN = ("secret", "token", "password", "signature", "authorization", "phone", "mobile", "address", "receiver")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(level: str = "info", stream: TextIO | None = None) -> None:
    """Set up structlog and the libraries' own loggers for this process; `stream` is the standard error by default."""
    stream = stream or sys.stderr
    number = _LEVELS.get(level.lower(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(levelname)s %(name)s %(message)s")
    # They log every reconnect attempt at error level; our own loops say once what is away.
    for noisy in ("aiokafka", "httpx2", "uvicorn", "apprise", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR if number > logging.DEBUG else logging.DEBUG)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every field whose name says that it must not be logged."""
    for name in event:
        if any(word in name.lower() for word in _FORBIDDEN):
            event[name] = "(left out)"
    return event
