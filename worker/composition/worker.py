"""The composition root: from settings and accounts to running roles. The only place that knows every room."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from enum import StrEnum

import structlog

from worker import version
from worker.accounts import Account
from worker.broker.consumer import BatchHandler, Consumer, ConsumerOptions
from worker.broker.durable import DurablePublisher, Spool
from worker.broker.topics import PLANS, TopicNames
from worker.composition.doors import build_door, parser_of, reread
from worker.composition.followups import Post, build_posts, within_abilities
from worker.composition.outside import Outside
from worker.composition.pace import SharedLimiter
from worker.composition.pollers import build_pollers, build_token_watch
from worker.composition.watching import watch
from worker.domain.clock import SECOND, Clock
from worker.domain.dead_letters import LeakLimits
from worker.domain.policy import Policy
from worker.followups.executor import Executor
from worker.followups.presence import Presence
from worker.followups.recovery import Recovery
from worker.followups.sweep import Sweep
from worker.followups.watchdog import Watchdog
from worker.http_server import AsgiApp, front
from worker.intake.callbacks import CallbackApp, Limits
from worker.intake.messages import MessagePoller
from worker.intake.plans import PlanIntake
from worker.intake.poller import StreamPoller
from worker.intake.spool import PostgresSpool, ReadersSpool, SpoolDrain
from worker.intake.token_watch import INTERVAL_S
from worker.marketplaces.port import Marketplace, Stream
from worker.operations.access import Access
from worker.operations.api import create_api
from worker.operations.dead_letters.replayer import Replayer
from worker.operations.dead_letters.watch import EVERY_S, DeadLetterWatch
from worker.operations.health import Health, Loop
from worker.operations.notifier import Notifier, apprise_teller
from worker.operators import Operators
from worker.outbound.relay import Relay
from worker.reconcile.reconciler import Reconciler
from worker.settings import Settings, operators_of
from worker.storage.read_store import answers
from worker.storage.schema import require_schema
from worker.supervision import keep_running

GROUP = "ordersync.reconcile"
PLANS_GROUP = "ordersync.plans"
WATCHDOG_INTERVAL_S = 5.0
LAST_WORDS_S = 1.0
"""For each connection that is closed at the very end: with a server away it would wait for it in vain."""
Progress = Callable[[], None]
_log = structlog.get_logger()


class Role(StrEnum):
    """What a process does. One can do everything, or each role can run alone and be multiplied."""

    INTAKE = "intake"
    RECONCILE = "reconcile"
    FOLLOWUPS = "followups"
    OUTBOUND = "outbound"
    OPERATIONS = "operations"


ALL_ROLES = tuple(Role)


class Worker:
    """The running worker. `async with Worker(...)`: started on entry, drained and stopped on exit."""

    def __init__(
        self,
        settings: Settings,
        accounts: Sequence[Account],
        roles: Sequence[Role] = ALL_ROLES,
        *,
        clock: Clock | None = None,
        jitter: random.Random | None = None,
        outside: Outside | None = None,
        operators: Operators | None = None,
    ) -> None:
        self._outside = outside = outside or Outside(settings, clock=clock, jitter=jitter)
        self.settings = settings
        self.accounts = accounts
        self.roles = frozenset(roles)
        self.clock = outside.clock
        self.jitter = outside.jitter
        self.names = TopicNames(settings.topic_prefix)
        self.health = Health(outside.monotonic)
        self.wakeups = outside.wakeups()
        self.kafka = outside.kafka(self.names)
        self.engine = outside.engine("worker", pool_size=12)
        self._spool_engine = outside.engine("spool", pool_size=5, statement_timeout_ms=2_000)
        self._poll_engine = outside.engine("poll", pool_size=2 * len(Stream) * len(accounts) + 1)
        self._pace_engine = outside.engine("pace", pool_size=4, statement_timeout_ms=2_000, lock_timeout_ms=2_000)
        # Names begin with ordersync-: the API's paging looks for running writers by it.
        self._api_engine = outside.engine("api", pool_size=4, statement_timeout_ms=5_000, lock_timeout_ms=2_000)
        self._engines = (self.engine, self._spool_engine, self._poll_engine, self._pace_engine, self._api_engine)
        spool = PostgresSpool(self._spool_engine, max_events=settings.spool_max_events)
        self._callback_publisher = self._publisher_to(spool)
        self.publisher = self._publisher_to(ReadersSpool(spool))
        self.marketplaces: dict[str, Marketplace] = {
            account.name: outside.marketplace(account, SharedLimiter(self._pace_engine, account))
            for account in accounts
        }
        self._policies = {
            account.name: within_abilities(
                account.policy.to_policy(self.marketplaces[account.name].platforms), self.marketplaces[account.name]
            )
            for account in accounts
        }
        self._operators = operators or operators_of(settings)
        self._tasks: list[asyncio.Task[None]] = []
        self._executors: list[Executor] = []
        self._consumers: dict[str, Consumer] = {}
        self.http = outside.http(self._app())

    @property
    def skew_ms(self) -> int:
        """Return how far the marketplaces' clocks may be from ours, in ms."""
        return int(self.settings.clock_skew_allowance_s * SECOND)

    def policy_of(self, account: str) -> Policy:
        """Return an account's policy; one that is no longer configured allows nothing."""
        return self._policies.get(account, Policy())

    async def start(self) -> None:
        """Start the roles. Raises SchemaMismatchError for a database of another version, OSError for a taken port."""
        await require_schema(self.engine)
        self.kafka.start()
        self._spawn("wakeups", self.wakeups.run)
        if Role.RECONCILE in self.roles:
            loop = self.health.loop("reconcile", stalled_after_s=self.settings.stalled_after_s)
            self._spawn("reconcile", lambda: self._consume(loop))
        if Role.FOLLOWUPS in self.roles:
            self._start_follow_ups()
        if Role.OUTBOUND in self.roles:
            relay = Relay(self.engine, self.kafka, self.wakeups, idle_s=self.settings.idle_poll_s)
            self._spawn_loop("relay", relay.run)
        if Role.OPERATIONS in self.roles:
            self._spawn_loop("notifier", self._notifier().run)
            self._start_dead_letters()
        if Role.INTAKE in self.roles:
            self._start_intake()
        await self.http.start()
        self.health.startup_finished()
        _log.info("started", roles=sorted(self.roles), port=self.http.port, version=version())

    async def stop(self) -> None:
        """Drain and stop: nothing new comes in, what was begun is finished, all within the shutdown time-out."""
        self.health.begin_shutdown()
        for executor in self._executors:
            executor.stop()
        parts = [self._finish("http", self.http.stop()), self._finish("executors", self._drained())]
        parts += [self._finish("consumer", consumer.stop()) for consumer in self._consumers.values()]
        await asyncio.gather(*parts)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._finish("kafka", self.kafka.stop(), LAST_WORDS_S)
        for marketplace in self.marketplaces.values():
            await marketplace.close()
        for engine in self._engines:
            await self._finish("database", engine.dispose(), LAST_WORDS_S)
        _log.info("stopped")

    async def _drained(self) -> None:
        executing = [task for task in self._tasks if task.get_name().startswith("executor")]
        if executing:
            await asyncio.wait(executing)

    async def _finish(self, what: str, stopping: Awaitable[None], seconds: float | None = None) -> None:
        """Wait for a part to stop; what takes longer is left behind and said."""
        try:
            async with asyncio.timeout(seconds or self.settings.shutdown_timeout_s):
                await stopping
        except TimeoutError:
            _log.warning("did not stop in time", part=what)
        except Exception as error:  # noqa: BLE001 - the other parts must be stopped all the same
            _log.warning("did not stop cleanly", part=what, error=type(error).__name__)

    async def _consume(self, loop: Loop) -> None:
        reconciler = Reconciler(
            self.engine,
            self.policy_of,
            self.clock,
            skew=self.skew_ms,
            dead_letter_limit=self.settings.dead_letter_limit,
            reread=lambda message: reread(self.accounts, message),
        )
        await reconciler.begin()
        await self._follow(self.names.inbound, GROUP, reconciler.handle, loop)

    async def _consume_plans(self, loop: Loop) -> None:
        plans = PlanIntake(self.engine, self._policies)
        await self._follow((self.names.of(PLANS),), PLANS_GROUP, plans.handle, loop)

    async def _follow(self, topics: tuple[str, ...], group: str, handler: BatchHandler, loop: Loop) -> None:
        """Consume until the handler stops it; a consumer that fails is stopped, and started again by who called."""
        options = ConsumerOptions(
            self.names.of(group),
            self.settings.batch_max_records,
            self.settings.batch_wait_ms,
            self.settings.consumer_instance,
        )
        consumer = self._outside.consumer(topics, options, handler, self._short_pause)
        self._consumers[group] = consumer
        try:
            await consumer.start()
            await watch(consumer, loop)
        except Exception:
            await consumer.stop()  # or a second one would be started beside it
            raise
        await consumer.stop()  # a member that takes nothing would keep its partitions from the others
        loop.mark_stopped("consumption was stopped; see the alert consumption_stopped")

    async def _short_pause(self) -> None:
        await asyncio.sleep(1.0 * self.jitter.uniform(0.5, 1.5))

    def _start_follow_ups(self) -> None:
        presence = self._outside.presence()
        self._spawn("presence", presence.run)
        recovery = Recovery(
            self.engine,
            policies=self._policies,
            first_pause_s=self.settings.unknown_first_pause_s,
            interval_s=self.settings.recovery_interval_s,
            sleep=asyncio.sleep,
        )
        self._spawn_loop("recovery", recovery.run)
        watchdog = Watchdog(self.engine, self._policies, interval_s=WATCHDOG_INTERVAL_S, sleep=asyncio.sleep)
        self._spawn_loop("watchdog", watchdog.run)
        for account in self.accounts:
            marketplace = self.marketplaces[account.name]
            for post in build_posts(
                account,
                self.policy_of(account.name),
                marketplace,
                self.publisher,
                self.engine,
                self._outside,
                skew=self.skew_ms,
            ):
                self._start_executor(account.name, post, presence)
            if marketplace.platforms:
                sweep = Sweep(
                    account.name,
                    marketplace.platforms,
                    self.engine,
                    self.clock,
                    every_s=account.sweep_s,
                    sleep=asyncio.sleep,
                )
                self._spawn_loop(f"sweep:{account.name}", sweep.run, self.settings.stalled_after_s + account.sweep_s)

    def _start_executor(self, account: str, post: Post, presence: Presence) -> None:
        executor = Executor(
            account,
            post.effect,
            post.handle,
            self.engine,
            self.wakeups,
            concurrency=post.concurrency,
            idle_s=self.settings.idle_poll_s,
            holder=lambda: presence.holder,
        )
        self._executors.append(executor)
        self._spawn_loop(f"executor:{post.effect}:{account}", executor.run)

    def _start_intake(self) -> None:
        drain = SpoolDrain(self.engine, self.kafka, self.wakeups, idle_s=self.settings.idle_poll_s)
        self._spawn_loop("spool", drain.run)
        loop = self.health.loop("plans", stalled_after_s=self.settings.stalled_after_s)
        self._spawn("plans", lambda: self._consume_plans(loop))
        for account in self.accounts:
            marketplace = self.marketplaces[account.name]
            if marketplace.credentials():  # else no token ends, or nobody said when
                tokens = build_token_watch(account, marketplace, self._poll_engine, self.clock, self.jitter)
                self._spawn_loop(f"tokens:{account.name}", tokens.run, self.settings.stalled_after_s + 2 * INTERVAL_S)
            for poller in self.pollers(account):
                stalled_after_s = self.settings.stalled_after_s + 10 * account.poll_interval_s
                self._spawn_loop(f"poller:{account.name}:{poller.stream}", poller.run, stalled_after_s)

    def pollers(self, account: Account) -> list[StreamPoller | MessagePoller]:
        """Return the pollers of an account, one per list that can be polled."""
        return build_pollers(
            account,
            self.marketplaces[account.name],
            self.publisher,
            self._poll_engine,
            self.clock,
            jitter=self.jitter,
        )

    def _start_dead_letters(self) -> None:
        replayer = Replayer(self.engine, self.kafka, self.names, self.wakeups, idle_s=self.settings.idle_poll_s)
        self._spawn_loop("replays", replayer.run)
        limits = LeakLimits(int(self.settings.dead_letter_old_after_s * SECOND), self.settings.dead_letter_trickle_days)
        watch_letters = DeadLetterWatch(self.engine, self.clock, limits)
        self._spawn_loop("dead-letters", watch_letters.run, self.settings.stalled_after_s + EVERY_S)

    def _notifier(self) -> Notifier:
        urls = [url.get_secret_value() for url in self.settings.notify_urls]
        return Notifier(
            self.engine,
            self.kafka,
            self.wakeups,
            self.clock,
            self.jitter,
            tell=apprise_teller(urls),
            idle_s=self.settings.idle_poll_s,
        )

    def _app(self) -> AsgiApp:
        self.health.check("database", lambda: answers(self._api_engine))
        api = create_api(
            self._api_engine,
            access=Access(self._operators),
            health=self.health,
            version=version(),
            policies=self._policies,
            topics=self.names.consumed,
        )
        callbacks = self._callbacks() if Role.INTAKE in self.roles else None
        return front(callbacks, api)

    def _publisher_to(self, spool: Spool) -> DurablePublisher:
        return DurablePublisher(
            self.kafka,
            spool,
            kafka_timeout_s=self.settings.callback_kafka_timeout_s,
            spool_timeout_s=self.settings.callback_spool_timeout_s,
            now=self._outside.monotonic,
        )

    def _callbacks(self) -> CallbackApp:
        limits = Limits(self.settings.callback_max_bytes, self.settings.callback_body_timeout_s)
        doors = {account.name: build_door(account) for account in self.accounts}
        parsers = {account.name: parser_of(account) for account in self.accounts}
        return CallbackApp(
            doors, self._callback_publisher, self.clock, limits, monotonic=self._outside.monotonic, parsers=parsers
        )

    def _spawn_loop(
        self, name: str, run: Callable[[Progress], Awaitable[None]], stalled_after_s: float | None = None
    ) -> None:
        loop = self.health.loop(name, stalled_after_s=stalled_after_s or self.settings.stalled_after_s)
        self._spawn(name, lambda: run(loop.progress))

    def _spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(keep_running(name, run, self.jitter), name=name))


@contextlib.asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Worker]:
    """Run a worker for the length of a block."""
    try:
        await worker.start()
        yield worker
    finally:
        await worker.stop()
