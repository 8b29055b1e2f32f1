"""The one error of the embedded servers."""

from pathlib import Path

_TAIL_BYTES = 4_000


class EmbeddedError(RuntimeError):
    """An embedded server could not be started, stopped or used; the message says what to do about it."""


def log_tail(log: Path, since: int = 0) -> str:
    """Return the last 4,000 bytes of what `log` received after byte `since`, for an error message."""
    try:
        written = log.read_bytes()[since:]
    except FileNotFoundError:
        return "(no log)"
    return written[-_TAIL_BYTES:].decode("utf-8", "replace").strip() or "(empty log)"
