"""CloudEvents 1.0 in Kafka's binary mode: attributes in `ce_*` headers, the data as the record's value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import msgspec

from worker.broker import topics
from worker.domain.clock import Millis, iso
from worker.domain.dead_letters import Ticket
from worker.domain.facts import (
    BookingSeen,
    Fact,
    InspectionSeen,
    LogisticsSeen,
    PriceSeen,
    RefundSeen,
    Snapshot,
    Source,
    StatusSeen,
)

FACT_PREFIX = "ordersync.fact."
UNRECOGNISED_TYPE = "ordersync.fact.unrecognised.v1"
CHANGE_PREFIX = "ordersync.order."
ALERT_PREFIX = "ordersync.alert."
REPLAY_HEADER = "ordersync-replay"
"""On a replayed record alone: which letter it was, and which replay sent it. Everything else is as it came first."""
MAX_HEADER_CHARS = 256
MAX_KEPT_BYTES = 700_000
"""Of a message that nobody could read: as base64 it still fits into one Kafka record."""

_TOPIC_OF = {
    StatusSeen: topics.STATUS,
    LogisticsSeen: topics.STATUS,
    BookingSeen: topics.STATUS,
    InspectionSeen: topics.STATUS,
    Snapshot: topics.STATUS,
    PriceSeen: topics.PRICE,
    RefundSeen: topics.REFUND,
}
_TICKET = re.compile(r"([0-9]{1,18})/([0-9]{1,18})")
_ENCODER = msgspec.json.Encoder()
_FACT = msgspec.json.Decoder(Fact)


class Event(msgspec.Struct, frozen=True):
    """One record to be published. `topic` is the name without the installation's prefix."""

    topic: str
    key: str
    headers: dict[str, str]
    value: bytes


class Unrecognised(msgspec.Struct, frozen=True):
    """An accepted message that nobody could read: kept whole, so that it can be replayed once somebody can."""

    account: str
    reason: str
    body: bytes
    received_at: Millis
    detail: str = ""


class EnvelopeError(ValueError):
    """A record that is not one of our events; the text says what is wrong with it."""


def fact_event(fact: Fact) -> Event:
    """Return the event of one fact; its id is the fact's derived id."""
    key = str(fact.key)
    event_type, source = _constant_parts(fact.kind, fact.key.account, fact.source)
    headers = _headers(event_id=fact.derive_id(), event_type=event_type, source=source, subject=key, time=fact.stamp)
    return Event(_TOPIC_OF[type(fact.content)], key, headers, _ENCODER.encode(fact))


@lru_cache(maxsize=1024)
def _constant_parts(kind: str, account: str, source: Source) -> tuple[str, str]:
    """Return type and source of a fact's event; there are few of them, and every callback needs them."""
    return f"{FACT_PREFIX}{kind}.v1", f"/ordersync/{account}/{source.value}"


def unrecognised_event(message: Unrecognised, event_id: str) -> Event:
    """Return the event of a message that is to be set aside as a dead letter; what Kafka could not take is cut off."""
    if len(message.body) > MAX_KEPT_BYTES:
        detail = f"the first {MAX_KEPT_BYTES} of {len(message.body)} bytes"
        message = msgspec.structs.replace(message, body=message.body[:MAX_KEPT_BYTES], detail=detail)
    headers = _headers(
        event_id=event_id,
        event_type=UNRECOGNISED_TYPE,
        source=f"/ordersync/{message.account}/callback",
        subject=f"{message.account}/unrecognised",
        time=message.received_at,
    )
    return Event(topics.STATUS, f"{message.account}/unrecognised", headers, _ENCODER.encode(message))


def change_event(key: str, sequence: int, change_type: str, payload: str, time_iso: str) -> Event:
    """Return the event of one change of an order; consumers drop `sequence <= last seen` per order."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{key}/{sequence}",
        "ce_type": f"{CHANGE_PREFIX}{change_type}.v1",
        "ce_source": "/ordersync/reconcile",
        "ce_subject": key,
        "ce_time": time_iso,
        "ce_sequence": str(sequence),
        "content-type": "application/json",
    }
    return Event(topics.CHANGES, key, headers, payload.encode())


def alert_event(notice_id: int, action: str, cause: str, data: dict[str, Any], time_iso: str) -> Event:
    """Return the event of an alert that was opened or resolved."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"alert-notice/{notice_id}",
        "ce_type": f"{ALERT_PREFIX}{action}.v1",
        "ce_source": "/ordersync/operations",
        "ce_subject": _header_safe(cause),
        "ce_time": time_iso,
        "content-type": "application/json",
    }
    return Event(topics.ALERTS, cause, headers, _ENCODER.encode(data))


def read_headers(raw: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Return a record's headers as text, those without a value left out.

    Bytes that are no UTF-8 are replaced, since they only serve to be shown.
    """
    return {name: value.decode("utf-8", "replace") for name, value in raw if value is not None}


def replay_event(topic: str, key: str, headers: dict[str, str], value: bytes, ticket: Ticket) -> Event:
    """Return the event of a dead letter's replay: its own topic, key, headers and value, hence its own identity."""
    return Event(topic, key, headers | {REPLAY_HEADER: f"{ticket.letter_id}/{ticket.replay_id}"}, value)


def read_ticket(headers: dict[str, str]) -> Ticket | None:
    """Return what a replayed record carries, None for any other record (and for a header that is not ours)."""
    match = _TICKET.fullmatch(headers.get(REPLAY_HEADER, ""))
    return None if match is None else Ticket(int(match[1]), int(match[2]))


def read_fact(headers: dict[str, str], value: bytes | None) -> tuple[str, Fact] | Unrecognised:
    """Return (fact id, fact) or the unrecognised message of one record. Raises EnvelopeError for anything else."""
    kind = headers.get("ce_type", "")
    if value is None or not kind.startswith(FACT_PREFIX):
        raise EnvelopeError(f"the record has the type {kind[:80]!r}; expected {FACT_PREFIX}*")
    try:
        if kind == UNRECOGNISED_TYPE:
            return msgspec.json.decode(value, type=Unrecognised)
        fact = _FACT.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EnvelopeError(f"the record's data is not a fact: {error}") from error
    return headers.get("ce_id") or fact.derive_id(), fact


def _headers(*, event_id: str, event_type: str, source: str, subject: str, time: Millis) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_type": event_type,
        "ce_source": source,
        "ce_subject": subject,
        "ce_time": iso(time),
        "content-type": "application/json",
    }


def _header_safe(value: str) -> str:
    return value[:MAX_HEADER_CHARS]
