"""The pollers of an account."""

from __future__ import annotations

import asyncio
import random

from sqlalchemy.ext.asyncio import AsyncEngine

from worker.accounts import Account
from worker.broker.durable import DurablePublisher
from worker.domain.clock import Clock
from worker.intake.messages import MessagePoller
from worker.intake.poller import PollPlan, StreamPoller
from worker.intake.token_watch import TokenWatch
from worker.marketplaces.port import Marketplace, Stream


def build_pollers(
    account: Account,
    marketplace: Marketplace,
    publisher: DurablePublisher,
    engine: AsyncEngine,
    clock: Clock,
    *,
    jitter: random.Random,
) -> list[StreamPoller | MessagePoller]:
    """Return one poller per list that the account's API has."""

    def build(stream: Stream) -> StreamPoller | MessagePoller:
        if stream is Stream.FAILED_MESSAGES:
            return MessagePoller(
                account.name,
                account.poll_interval_s,
                marketplace,
                publisher,
                engine,
                clock,
                sleep=asyncio.sleep,
                jitter=jitter,
            )
        plan = PollPlan(
            account.name,
            stream,
            account.poll_interval_s,
            account.poll_overlap_s,
            account.backfill_days * 86_400.0,
            account.poll_window_s,
        )
        return StreamPoller(plan, marketplace, publisher, engine, clock, sleep=asyncio.sleep, jitter=jitter)

    return [build(stream) for stream in sorted(marketplace.streams)]


def build_token_watch(
    account: Account, marketplace: Marketplace, engine: AsyncEngine, clock: Clock, jitter: random.Random
) -> TokenWatch:
    """Return what looks after the account's tokens."""
    return TokenWatch(account.name, marketplace, engine, clock, sleep=asyncio.sleep, jitter=jitter)
