"""From a batch of facts and the locked orders to the rows that are to be written. Pure: no statement is sent here."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from worker.domain.alerts import Alert, correction_alert, drift_alert, order_alerts
from worker.domain.changes import Change, ChangeType
from worker.domain.clock import Millis, to_datetime
from worker.domain.dead_letters import Ticket
from worker.domain.facts import Source
from worker.domain.identity import OrderKey
from worker.domain.plans import StandingPlan
from worker.domain.policy import CHANGES, Effect, Policy, Wanted
from worker.domain.reducer import Order, Outcome, apply
from worker.domain.settlement import settlements
from worker.domain.wanted import wanted_follow_ups
from worker.reconcile.records import MAX_DETAIL_CHARS, DeadLetter, Delivered, ReadBatch
from worker.storage.batch_store import ChildRows, LockedOrder
from worker.storage.follow_up_wants import EffectRow, SettleRow
from worker.storage.order_rows import instant, json_text, line_rows, order_row, parcel_rows, refund_rows

PolicyOf = Callable[[str], Policy]
MAX_PAYLOAD_CHARS = 250_000
"""Of one change; at most a megabyte in UTF-8, which is what Kafka takes. One that it refused would stop all others.

A change beyond it is published without `before` and `after`: its reader asks the API for the order.
"""


class UnwritableError(Exception):
    """Our own code failed on an order after its facts were applied: the batch has to be tried record by record."""


class Touched(msgspec.Struct):
    """An order while the batch goes over it."""

    ref: int
    first: Order
    order: Order
    sequence: int
    plan: StandingPlan
    approved: int | None


class Writes(msgspec.Struct):
    """Everything that one batch writes.

    `refs`: the row of each order that a fact of the batch touched; `effect_refs`: of those that are not in doubt, so
    that what they no longer call for can be cancelled. `fresh`: facts that were taken from records of their own, not
    from the replay of a dead letter.
    """

    refs: dict[OrderKey, int] = {}
    facts: list[tuple[Any, ...]] = []
    repeats: dict[str, int] = {}
    orders: list[tuple[Any, ...]] = []
    lines: ChildRows = msgspec.field(default_factory=ChildRows)
    parcels: ChildRows = msgspec.field(default_factory=ChildRows)
    refunds: ChildRows = msgspec.field(default_factory=ChildRows)
    outbox: list[tuple[Any, ...]] = []
    refreshes: list[tuple[int, str, datetime]] = []
    effects: list[EffectRow] = []
    searches: list[tuple[int, str, str]] = []
    settlements: list[SettleRow] = []
    effect_refs: list[int] = []
    alerts: list[Alert] = []
    condition_refs: list[int] = []
    final_refs: list[int] = []
    dead: list[DeadLetter] = []
    replays: list[Ticket] = []
    fresh: int = 0
    counts: dict[tuple[str, str], int] = {}
    drift: dict[tuple[str, str], int] = {}
    oldest: Millis | None = None


def settle_batch(
    batch: ReadBatch,
    locked: Mapping[OrderKey, LockedOrder],
    known: set[str],
    policy_of: PolicyOf,
    skew: Millis,
) -> Writes:
    """Apply the batch's new facts, in order of arrival, and return what is to be written."""
    writes = Writes(repeats=dict(batch.repeats), dead=list(batch.dead), replays=batch.replays)
    touched: dict[OrderKey, Touched] = {}
    for fact_id, delivered in batch.delivered.items():
        if fact_id in known:
            writes.repeats[fact_id] = writes.repeats.get(fact_id, 0) + 1
            writes.fresh += delivered.fresh
            _count(writes, delivered.fact.kind, Outcome.DUPLICATE)
            continue
        _apply_one(delivered, _touch(touched, locked[delivered.fact.key], skew), writes, skew)
    writes.refs = {key: state.ref for key, state in touched.items()}
    for state in touched.values():
        if state.order is not state.first:
            try:
                _write_order(state, policy_of(state.order.key.account), writes)
            except Exception as error:
                raise UnwritableError(f"{type(error).__name__}: {error}"[:300]) from error
    return writes


def _touch(touched: dict[OrderKey, Touched], row: LockedOrder, skew: Millis) -> Touched:
    state = touched.get(row.key)
    if state is None:
        order = Order.of(row.key, row.evidence, skew)
        state = touched[row.key] = Touched(row.ref, order, order, row.sequence, row.plan, row.approved)
    return state


def _apply_one(delivered: Delivered, state: Touched, writes: Writes, skew: Millis) -> None:
    fact, fact_id, record = delivered.fact, delivered.fact_id, delivered.record
    try:
        was_known = state.order.evidence.lifecycle is not None
        applied = apply(state.order, fact, fact_id, skew)
        content = json_text(fact.content)
        changes = [_outbox_row(state, number, change, applied.order, fact_id) for number, change in
                   enumerate(applied.changes, start=state.sequence + 1)]  # fmt: skip
        observed_at = to_datetime(fact.observed_at)
        provider_time = instant(fact.provider_time)
    except Exception as error:  # noqa: BLE001 - one poison fact must not stop its batch
        detail = traceback.format_exc()[-MAX_DETAIL_CHARS:]
        writes.dead.append(DeadLetter(f"apply: {type(error).__name__}: {error}"[:300], detail, record, by_us=True))
        return
    writes.fresh += delivered.fresh
    state.order = applied.order
    state.sequence += len(changes)
    writes.outbox += changes
    writes.facts.append(
        (fact_id, state.ref, fact.kind, fact.source.value, provider_time, observed_at, applied.outcome.value, content,
         record.topic, record.partition, record.offset)
    )  # fmt: skip
    writes.oldest = fact.observed_at if writes.oldest is None else min(writes.oldest, fact.observed_at)
    _count(writes, fact.kind, applied.outcome)
    for change in applied.changes:
        if change.type is ChangeType.STATUS_CORRECTED:
            writes.alerts.append(correction_alert(fact.key, str(change.before), str(change.after)))
    if fact.source is Source.SWEEP and was_known:
        _note_drift(fact.key, applied.changes, writes)


def _note_drift(key: OrderKey, changes: tuple[Change, ...], writes: Writes) -> None:
    """Count what nobody told and only a sweep found; a person is told where it is money."""
    for change in changes:
        if change.type is ChangeType.CONFIRMATION_CHANGED:
            continue
        name = (key.account, change.type.value.removesuffix("_changed"))
        writes.drift[name] = writes.drift.get(name, 0) + 1
        if change.type is ChangeType.AMOUNTS_CHANGED:
            writes.alerts.append(drift_alert(key, change.before, change.after))


def _outbox_row(state: Touched, number: int, change: Change, order: Order, fact_id: str) -> tuple[Any, ...]:
    key, view = order.key, order.view
    payload = {
        "order": {"account": key.account, "platform": key.platform.value, "order_id": key.order_id},
        "sequence": number,
        "change": change.type.value,
        "before": change.before,
        "after": change.after,
        "status": view.status.value,
        "unconfirmed": view.unconfirmed,
        "total_minor": view.amounts.total if view.amounts else None,
        "currency": view.amounts.currency if view.amounts else None,
        "fact_id": fact_id,
    }
    text = json_text(payload)
    if len(text) > MAX_PAYLOAD_CHARS:
        text = json_text(payload | {"before": None, "after": None, "left_out": len(text)})
    return (state.ref, str(key), number, change.type.value, text)


def _write_order(state: Touched, policy: Policy, writes: Writes) -> None:
    ref, order, first = state.ref, state.order, state.first
    writes.orders.append(order_row(ref, order, state.sequence))
    if order.view.lines != first.view.lines:
        writes.lines.refs.append(ref)
        writes.lines.rows += line_rows(ref, order)
    if order.view.parcels != first.view.parcels:
        writes.parcels.refs.append(ref)
        writes.parcels.rows += parcel_rows(ref, order)
    if order.view.refunds != first.view.refunds:
        writes.refunds.refs.append(ref)
        writes.refunds.rows += refund_rows(ref, order)
    _want(state, wanted_follow_ups(order, policy, state.plan, state.approved), writes)
    writes.settlements += [
        (ref, one.effect.value, one.proof.value, to_datetime(one.asked_at), one.reason, one.amount)
        for one in settlements(order)
    ]
    writes.alerts += order_alerts(order, policy, state.plan, state.approved)
    writes.condition_refs.append(ref)
    if not order.view.unconfirmed and order.key.platform in policy.platforms:
        writes.effect_refs.append(ref)
    if order.view.status.is_final and not order.view.unconfirmed:
        writes.final_refs.append(ref)


def _want(state: Touched, wanted: tuple[Wanted, ...], writes: Writes) -> None:
    ref, account = state.ref, state.order.key.account
    for one in wanted:
        if one.effect is Effect.REFRESH:
            writes.refreshes.append((ref, account, to_datetime(one.not_before)))
        elif one.effect in CHANGES:
            due_at = to_datetime(one.not_before)
            asker = state.plan.requested_by
            writes.effects.append((ref, account, one.effect.value, one.purpose, one.amount, one.hold, due_at, asker))
        else:
            writes.searches.append((ref, account, one.purpose))


def _count(writes: Writes, kind: str, outcome: Outcome) -> None:
    name = (kind, outcome.value)
    writes.counts[name] = writes.counts.get(name, 0) + 1
