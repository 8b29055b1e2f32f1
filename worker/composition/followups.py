"""An account's follow-ups: which executors it needs, and what each of them does with a claim."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from worker.accounts import Account
from worker.broker.durable import DurablePublisher
from worker.composition.outside import Outside
from worker.domain.clock import Millis
from worker.domain.policy import Effect, Policy
from worker.followups.actions.booking import BookInternational, FreightDefaults
from worker.followups.actions.cancel import Cancel
from worker.followups.actions.pay import Pay, PayTogether
from worker.followups.actions.receipt import ConfirmReceipt
from worker.followups.actions.warehouse import UpdateDomesticLogistics
from worker.followups.executor import Handle
from worker.followups.fresh import FreshReads
from worker.followups.ledger import Ledger
from worker.followups.parts import Parts
from worker.followups.perform import Action, Perform
from worker.followups.refresh import Refresh
from worker.followups.substitutes import Substitutes
from worker.marketplaces.port import Ability, FreightService, Marketplace, Receiver
from worker.policy_config import PolicyConfig
from worker.storage import pause_store

PAY_CONCURRENCY = 4
CHANGE_CONCURRENCY = 2
"""Calls of one account under way at once, per effect."""
GATHER_S = 0.05
"""How long a payment waits for others to be submitted with it, where an account submits them together."""


class Post(msgspec.Struct, frozen=True):
    """One executor of an account: the effect, what is done with a claim, and how many at once."""

    effect: Effect
    handle: Handle
    concurrency: int


def build_posts(
    account: Account,
    policy: Policy,
    marketplace: Marketplace,
    publisher: DurablePublisher,
    engine: AsyncEngine,
    outside: Outside,
    *,
    skew: Millis,
) -> Iterator[Post]:
    """Yield the executors that an account's policy asks for. An effect without one stays planned and is not called."""
    clock, jitter = outside.clock, outside.jitter
    parts = Parts(marketplace, publisher, clock, skew=skew)
    refresh = Refresh(marketplace, publisher, engine, clock, jitter, parts=parts)
    yield Post(Effect.REFRESH, refresh, account.max_concurrent_reads)
    if account.policy.find_substitutes:
        yield Post(Effect.FIND_SUBSTITUTES, Substitutes(marketplace, engine, clock, jitter), 1)
    ledger = Ledger(engine, account.name, policy, clock)
    reads = FreshReads(marketplace, publisher, skew)

    def post(action: Action, concurrency: int) -> Post:
        perform = Perform(action, ledger, clock, jitter, monotonic=outside.monotonic)
        return Post(action.effect, perform, concurrency)

    if policy.auto_pay:
        together = None
        if marketplace.pay_batch_size > 1:
            paused = partial(_is_paused, engine, account.name)
            together = PayTogether(marketplace, _linger, is_paused=paused, monotonic=outside.monotonic)
        concurrency = max(PAY_CONCURRENCY, marketplace.pay_batch_size)
        yield post(Pay(marketplace, reads, policy, together=together), concurrency)
    if policy.notify_warehouse:
        yield post(UpdateDomesticLogistics(marketplace, reads), CHANGE_CONCURRENCY)
    if policy.confirm_receipt:
        yield post(ConfirmReceipt(marketplace, reads, policy), CHANGE_CONCURRENCY)
    if policy.book_international:
        defaults = freight_defaults(account.policy)
        booking = BookInternational(marketplace, reads, publisher, clock, policy=policy, defaults=defaults)
        yield post(booking, CHANGE_CONCURRENCY)
    yield post(Cancel(marketplace, reads), 1)


def within_abilities(policy: Policy, marketplace: Marketplace) -> Policy:
    """Return the policy without what this API cannot do: it is not wanted of any order then."""
    platforms = policy.platforms

    def can(ability: Ability) -> bool:
        return any(marketplace.can(platform, ability) for platform in platforms)

    return msgspec.structs.replace(
        policy,
        notify_warehouse=policy.notify_warehouse and can(Ability.UPDATE_DOMESTIC_LOGISTICS),
        confirm_receipt=policy.confirm_receipt and can(Ability.CONFIRM_RECEIPT),
        book_international=policy.book_international and can(Ability.BOOK_INTERNATIONAL),
    )


def freight_defaults(config: PolicyConfig) -> FreightDefaults:
    """Return the receiver and the service that an account names for its orders."""
    receiver, service = config.freight_receiver, config.freight_service
    return FreightDefaults(
        None if receiver is None else Receiver(**receiver.model_dump()),
        None if service is None else FreightService(**service.model_dump()),
    )


async def _is_paused(engine: AsyncEngine, account: str) -> bool:
    async with engine.connect() as connection:
        return await pause_store.covers(connection, account, Effect.PAY.value)


async def _linger() -> None:
    await asyncio.sleep(GATHER_S)
