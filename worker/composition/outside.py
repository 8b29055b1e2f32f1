"""What a worker meets outside of itself: clocks, Postgres, Kafka, marketplaces, the HTTP port. Real by default."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.accounts import Account
from worker.broker.consumer import BatchConsumer, BatchHandler, Consumer, ConsumerOptions
from worker.broker.producer import KafkaLink
from worker.broker.topics import TopicNames
from worker.composition.recorders import build_recorder
from worker.domain.clock import Clock, SystemClock
from worker.followups.presence import Presence
from worker.http_server import AsgiApp, HttpServer
from worker.marketplaces.build import Network, build_marketplace
from worker.marketplaces.limits import Limiter
from worker.marketplaces.port import Marketplace
from worker.settings import Settings
from worker.storage.engine import create_engine
from worker.storage.wakeup import Wakeups


class Outside:
    """The real world. Whoever lets a worker run in another one overrides what is different there."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, jitter: random.Random | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.jitter = jitter or random.Random()  # noqa: S311 - pauses, not secrets
        self.monotonic: Callable[[], float] = time.monotonic

    def engine(
        self, application: str, *, pool_size: int, statement_timeout_ms: int = 30_000, lock_timeout_ms: int = 10_000
    ) -> AsyncEngine:
        """Return connections to Postgres under a name."""
        return create_engine(
            self.settings.dsn,
            application=application,
            pool_size=pool_size,
            statement_timeout_ms=statement_timeout_ms,
            lock_timeout_ms=lock_timeout_ms,
        )

    def wakeups(self) -> Wakeups:
        """Return what tells of new work."""
        return Wakeups(self.settings.dsn)

    def presence(self) -> Presence:
        """Return what shows to other workers that this one lives."""
        return Presence(self.settings.dsn, self.jitter)

    def kafka(self, names: TopicNames) -> KafkaLink:
        """Return the link for writing to Kafka."""
        return KafkaLink(self.settings.kafka_bootstrap_servers, names)

    def consumer(
        self,
        topics: tuple[str, ...],
        options: ConsumerOptions,
        handler: BatchHandler,
        pause_after_failure: Callable[[], Awaitable[None]],
    ) -> Consumer:
        """Return a member of a consumer group, not joined yet."""
        return BatchConsumer(
            self.settings.kafka_bootstrap_servers,
            topics,
            options,
            handler,
            shutdown_timeout_s=self.settings.shutdown_timeout_s,
            pause_after_failure=pause_after_failure,
        )

    def marketplace(self, account: Account, limiter: Limiter) -> Marketplace:
        """Return an account's client."""
        network = Network(recorder=build_recorder(account, self.settings, self.clock))
        return build_marketplace(account, self.clock, self.settings.call_timeout_s, limiter, network)

    def http(self, app: AsgiApp) -> HttpServer:
        """Return what serves the application."""
        return HttpServer(
            app,
            self.settings.http_host,
            self.settings.http_port,
            max_concurrency=self.settings.http_max_concurrency,
            shutdown_timeout_s=self.settings.shutdown_timeout_s,
        )
