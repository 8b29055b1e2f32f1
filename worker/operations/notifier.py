"""Sends alerts to `ops.alerts.v1` for programs and through Apprise to people: when opened, and when resolved."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.broker.envelope import alert_event
from worker.broker.producer import KafkaLink, KafkaUnavailableError
from worker.domain.clock import SECOND, Clock, to_datetime
from worker.storage import alert_store
from worker.storage.engine import transaction
from worker.storage.wakeup import Wakeups, Work

BATCH = 50
KAFKA_TIMEOUT_S = 5.0
MAX_ATTEMPTS = 20
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 900.0

ALERTS = Counter("ordersync_alerts_total", "Alerts opened and resolved, by kind.", ["kind", "action"])
NOTICE_FAILURES = Counter(
    "ordersync_notice_failures_total", "Notices that did not go out and are tried again.", ["channel"]
)
NOTICES_WAITING = Gauge("ordersync_notices_waiting", "Notices found waiting in the last round.")
_log = structlog.get_logger()

Tell = Callable[[str, str], Awaitable[bool]]


class Notifier:
    """Works off notices. Several processes share the work: each locks what it sends."""

    def __init__(
        self,
        engine: AsyncEngine,
        kafka: KafkaLink,
        wakeups: Wakeups,
        clock: Clock,
        jitter: random.Random,
        *,
        tell: Tell | None,
        idle_s: float,
    ) -> None:
        self._engine = engine
        self._kafka = kafka
        self._wakeups = wakeups
        self._clock = clock
        self._jitter = jitter
        self._tell = tell
        self._idle_s = idle_s

    async def run(self, progress: Callable[[], None] = lambda: None) -> None:
        """Send until cancelled."""
        while True:
            sent = await self.send_once()
            progress()
            if sent < BATCH:
                await self._wakeups.wait(Work.ALERTS, self._idle_s)

    async def send_once(self) -> int:
        """Send one batch of notices; return how many were worked on."""
        async with transaction(self._engine) as connection:
            notices = await alert_store.pending_notices(connection, BATCH)
            sent = await asyncio.gather(*(self._send(notice) for notice in notices))
            for notice, (published, notified) in zip(notices, sent, strict=True):
                if notice["attempts"] + 1 >= MAX_ATTEMPTS and not (published and notified):
                    _log.error("notice given up", alert=notice["cause"], published=published, notified=notified)
                    published = notified = True  # noqa: PLW2901 - given up is as good as sent
                due_at = to_datetime(self._clock.now_ms() + self._pause_ms(notice["attempts"]))
                await alert_store.mark_notice(
                    connection, notice["id"], published=published, notified=notified, due_at=due_at
                )
                if not notice["attempts"]:
                    ALERTS.labels(notice["kind"], notice["action"]).inc()
        NOTICES_WAITING.set(len(notices))
        return len(notices)

    async def _send(self, notice: Mapping[str, Any]) -> tuple[bool, bool]:
        """Send what has not gone out yet; return (published, notified)."""
        published = bool(notice["published"]) or (not notice["hold_publishing"] and await self._publish(notice))
        notified = bool(notice["notified"]) or (not notice["hold_notifying"] and await self._notify(notice))
        return published, notified

    async def _publish(self, notice: Mapping[str, Any]) -> bool:
        at = notice["resolved_at"] if notice["action"] == "resolved" else notice["opened_at"]
        names = ("cause", "kind", "severity", "account", "order_key", "title", "details", "occurrences")
        data = {name: notice[name] for name in names} | {"action": notice["action"], "at": at.isoformat()}
        event = alert_event(notice["id"], notice["action"], notice["cause"], data, at.isoformat())
        try:
            await self._kafka.send(event, KAFKA_TIMEOUT_S)
        except KafkaUnavailableError:
            NOTICE_FAILURES.labels("kafka").inc()
            return False
        return True

    async def _notify(self, notice: Mapping[str, Any]) -> bool:
        if self._tell is None:
            return True
        title = f"[{notice['severity']}] {notice['kind']} {notice['action']}"
        if await self._tell(title, notice["title"]):
            return True
        NOTICE_FAILURES.labels("people").inc()
        return False

    def _pause_ms(self, attempts: int) -> int:
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(attempts, 12))
        return int(pause_s * SECOND * self._jitter.uniform(0.8, 1.2))


def apprise_teller(urls: Sequence[str], *, timeout_s: float = 15.0) -> Tell | None:
    """Return what tells people through the configured addresses; None if there is none. Addresses hold secrets.

    It is enough that one address took the notice: tried again because of one that is broken, the others would be told
    the same for hours.
    """
    if not urls:
        return None
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its other lines hold addresses
    channels = []
    for number, url in enumerate(urls, start=1):
        channel = apprise.Apprise()
        if not channel.add(url):
            raise ValueError(f"ORDERSYNC_NOTIFY_URLS: address number {number} is none that Apprise understands")
        channels.append(channel)

    async def tell_one(number: int, title: str, text: str) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                if await channels[number - 1].async_notify(title=title, body=text):
                    return True
            reason = "it was refused"
        except Exception as error:  # noqa: BLE001 - a channel's failure must not stop the others' alerts
            reason = type(error).__name__
        _log.warning("an address of ORDERSYNC_NOTIFY_URLS was not reached", number=number, reason=reason)
        return False

    async def tell(title: str, text: str) -> bool:
        numbers = range(1, len(channels) + 1)
        return any(await asyncio.gather(*(tell_one(number, title, text) for number in numbers)))

    return tell
