"""Pushes of the 1688 open platform: a form of `message` (JSON text) and `_aop_signature` (documented).

They carry ids and words, never amounts. The same messages come out of the queue of failed ones.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from worker.domain.clock import Millis
from worker.domain.facts import Fact
from worker.domain.identity import Platform
from worker.marketplaces.alibaba1688.signing import matches, push_signature
from worker.marketplaces.events import VIEW, Heard, MalformedError, NotUnderstoodError, facts_of
from worker.marketplaces.values import decode_json, identifier, instant, text

SIGNATURE = "_aop_signature"
MESSAGE = "message"
MAX_FIELDS = 20
MAX_TYPE_CHARS = 200


def verify(body: bytes, secret: str) -> bool:
    """Tell whether a pushed form carries the right signature over exactly what it says."""
    try:
        fields = _fields(body)
    except MalformedError:
        return False
    given = [value for name, value in fields if name == SIGNATURE]
    names = [name for name, _ in fields]
    if len(given) != 1 or len(set(names)) != len(names):
        return False  # a field given twice could be signed as one and read as the other
    return matches(given[0], push_signature([pair for pair in fields if pair[0] != SIGNATURE], secret))


def parse(account: str, body: bytes, received_at: Millis) -> tuple[Fact, ...]:
    """Return the facts of one pushed form. Raises MalformedError or NotUnderstoodError, nothing else."""
    messages = [value for name, value in _fields(body) if name == MESSAGE]
    if len(messages) != 1:
        raise MalformedError(f"expected one form field `message`, found {len(messages)}")
    try:
        message = decode_json(messages[0])
    except ValueError as error:
        raise MalformedError(f"`message` is {error}") from error
    return message_facts(account, message, received_at)


def message_facts(account: str, message: Any, received_at: Millis) -> tuple[Fact, ...]:
    """Return the facts of one message, pushed or taken from the queue. Raises NotUnderstoodError, nothing else."""
    if not isinstance(message, dict):
        raise NotUnderstoodError("the message is not a JSON object")
    event = _event_of(message)
    data = message.get("data")
    if isinstance(data, str):
        try:
            data = decode_json(data)
        except ValueError as error:
            raise NotUnderstoodError(f"data is text, but {error}") from error
    if not isinstance(data, dict):
        raise NotUnderstoodError("data is neither an object nor the JSON text of one")
    provider_time = instant(message.get("gmtBorn")) or instant(data.get("msgSendTime"))
    heard = Heard(account, Platform.ALIBABA_1688, received_at, provider_time, identifier(message.get("msgId")))
    return facts_of(heard, event, data)


def _event_of(message: dict[str, Any]) -> str:
    event = text(message.get("type"))
    if event is None:  # the queue of failed messages may name group and topic apart
        group, topic = text(message.get("topicGroup")), text(message.get("topicName"))
        event = f"{group}_{topic}" if group and topic else None
    if event is None:
        raise NotUnderstoodError("type is missing or not text")
    return event[:MAX_TYPE_CHARS].removeprefix(VIEW)


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except (ValueError, UnicodeError) as error:
        raise MalformedError("the body is not a form") from error
