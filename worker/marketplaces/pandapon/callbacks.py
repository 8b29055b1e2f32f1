"""From a pushed message to facts. Lenient in what it reads, never in what it takes for an id or an amount.

The bodies of status and refund messages are not documented by PandaPon; the upstream's are read (inferred), and the
documented ones of Xport/KA. A message that is not understood is kept whole by the caller.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from worker.domain.clock import Millis
from worker.domain.facts import Fact, InspectionSeen, Source
from worker.domain.identity import OrderKey, Platform, valid_order_id
from worker.marketplaces.events import VIEW, Heard, MalformedError, NotUnderstoodError, facts_of
from worker.marketplaces.pandapon.taobao import status_word
from worker.marketplaces.values import decode_json, identifier, instant, text

_PREFIXES = {"1688_": Platform.ALIBABA_1688, "TAOBAO_": Platform.TAOBAO}
_PLATFORMS = {"0": Platform.TAOBAO, "1": Platform.ALIBABA_1688}
_STATUS_FIELDS = ("orderStatus", "status")
"""Where a Taobao message has its status, which may be a number as in the order itself."""
MAX_TYPE_CHARS = 200
MAX_WAYBILL_CHARS = 100
_PASSED = frozenset({"质检通过"})
"""Documented sample; "inspection passed"."""


def parse(account: str, body: bytes, received_at: Millis) -> tuple[Fact, ...]:
    """Return the facts of one message. Raises MalformedError or NotUnderstoodError, nothing else."""
    try:
        message = decode_json(body)
    except ValueError as error:
        raise MalformedError(str(error)) from error
    if not isinstance(message, dict):
        raise NotUnderstoodError("the message is not a JSON object")
    if "quality_inspection_info" in message:
        return (inspection(account, message, received_at),)
    platform, event = _type_of(message)
    content = _body_of(message)
    times = (message.get("timestamp"), content.get("msgSendTime"), content.get("business_time"))
    provider_time = next((at for at in map(instant, times) if at is not None), None)
    if platform is Platform.TAOBAO:
        content = content | {name: status_word(content[name]) for name in _STATUS_FIELDS if name in content}
    heard = Heard(account, platform, received_at, provider_time, identifier(message.get("msgId")))
    return facts_of(heard, event, content)


def inspection(account: str, message: dict[str, Any], received_at: Millis) -> Fact:
    """Return what the warehouse found in a parcel: the body of `wms/package/inbound`, posted to our own address.

    Inferred: the manual has the body, not who sends it to whom. Only the plain word for "passed" passes.
    """
    order_id = identifier(message.get("alibaba_order_id"))
    waybill = text(message.get("logistics_tracking_number"))
    found = message.get("quality_inspection_info")
    status = text(found.get("status")) if isinstance(found, dict) else None
    if order_id is None or not valid_order_id(order_id) or waybill is None or status is None:
        raise NotUnderstoodError("an inspection needs alibaba_order_id, logistics_tracking_number and its status")
    key = OrderKey(account, Platform.ALIBABA_1688, order_id)
    return Fact(key, Source.CALLBACK, InspectionSeen(waybill[:MAX_WAYBILL_CHARS], status in _PASSED), received_at)


def _type_of(message: dict[str, Any]) -> tuple[Platform, str]:
    """Return the platform and the bare event: prefixes and the view's name fall away."""
    event = message.get("messageType")
    if not isinstance(event, str) or not event:
        raise NotUnderstoodError("messageType is missing or not text")
    return _split_type(event[:MAX_TYPE_CHARS], text(message.get("messagePlatform")))


@lru_cache(maxsize=512)
def _split_type(event: str, said: str | None) -> tuple[Platform, str]:
    """Split a message type; kept for the next message, since there are few of them."""
    platform = _PLATFORMS.get(said) if said is not None else None
    for prefix, of_prefix in _PREFIXES.items():
        if event.startswith(prefix):
            event = event.removeprefix(prefix)
            if platform not in (None, of_prefix):
                raise NotUnderstoodError(f"messageType says {of_prefix}, messagePlatform {platform}")
            platform = of_prefix
    if platform is None:
        raise NotUnderstoodError(f"messagePlatform is {said!r}; expected 0 (Taobao) or 1 (1688)")
    return platform, event.removeprefix(VIEW)


def _body_of(message: dict[str, Any]) -> dict[str, Any]:
    body = message.get("messageBody")
    if isinstance(body, str):
        try:
            body = decode_json(body)
        except ValueError as error:
            raise NotUnderstoodError(f"messageBody is text, but {error}") from error
    if not isinstance(body, dict):
        raise NotUnderstoodError("messageBody is neither an object nor the JSON text of one")
    return body
