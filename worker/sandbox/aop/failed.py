"""The queue of messages whose pushes failed: what the compensation operations read and confirm.

It holds failed messages only, never a history of all (documented).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from worker.sandbox.agenda import NowMs


class FailedMessage(msgspec.Struct, kw_only=True):
    """One message that did not arrive."""

    msg_id: int | str
    type: str
    user_info: str
    data: dict[str, Any]
    gmt_born: int
    """Unix milliseconds; the retention counts from here."""
    confirmed_at: int | None = None


class FailedQueue:
    """Messages by id, oldest first. `retention_ms`: real milliseconds after which one is gone."""

    def __init__(self, now_ms: NowMs, retention_ms: int) -> None:
        self._now_ms = now_ms
        self._retention_ms = retention_ms
        self.all: dict[str, FailedMessage] = {}
        """Every message that ever failed, confirmed and expired ones included."""

    def add(self, message: FailedMessage) -> None:
        """Keep a message; one that is there already (another copy of it failed, too) stays as it is."""
        self.all.setdefault(str(message.msg_id), message)

    def waiting(self, born: tuple[int, int], kind: str | None, user: str | None) -> list[FailedMessage]:
        """Messages neither confirmed nor expired, born between two moments, of a type and a user."""
        oldest = self._now_ms() - self._retention_ms
        found = [
            message
            for message in self.all.values()
            if message.confirmed_at is None
            and message.gmt_born >= max(oldest, born[0])
            and message.gmt_born <= born[1]
            and kind in (None, message.type)
            and user in (None, message.user_info)
        ]
        return sorted(found, key=lambda message: (message.gmt_born, str(message.msg_id)))

    def confirm(self, ids: Iterable[str]) -> None:
        """Take messages out; an id that is not there, or was confirmed before, does no harm."""
        for one in ids:
            message = self.all.get(one)
            if message is not None and message.confirmed_at is None:
                message.confirmed_at = self._now_ms()
