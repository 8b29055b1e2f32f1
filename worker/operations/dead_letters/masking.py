"""What of a message may be shown: its shape, ids, words and amounts; not who receives it and where.

Messages are dead letters because nobody understood them, so a list of forbidden names cannot be complete. Shown is only
what looks like a word, an id, a number or a time, and stands under no name that speaks of a person.
"""

from __future__ import annotations

import re
from typing import Any

from worker.marketplaces.redaction import is_personal, is_secret, plain_name, scrubbed

MAX_DEPTH = 12
MAX_ITEMS = 200
_PERSONAL = re.compile(
    r"name|nick|contact|receiver|receive|consignee|buyer|seller|member|login|user|person|address|addr|street|province|"
    r"city|county|district|town|area|zip|post|phone|mobile|tel|fax|mail|wangwang|idcard|passport|alipay|"
    r"account|memo|remark|message$|note|token|secret|sign|password|key",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"^(messageType|messagePlatform|messageBody|message|type|topic|event|account|key)$|(order|refund|trade|product|sku|item)_?id$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[A-Za-z0-9_.:+/#=-]{0,64}|[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:.]{5,15}(Z|[+-][0-9:]{4,6})?")


def mask(value: Any, name: str = "", *, personal: bool = False, depth: int = 0) -> Any:
    """Return decoded JSON with everything left out that may be about a person; numbers and shapes stay.

    `personal`: it stands somewhere below a name that speaks of a person.
    """
    personal = personal or (_speaks_of_a_person(name) and _HARMLESS.search(name) is None)
    if depth > MAX_DEPTH:
        return "(deeper than is shown)"
    if isinstance(value, dict):
        shown = {
            _shown_name(key): mask(held, str(key), personal=personal, depth=depth + 1)
            for key, held in list(value.items())[:MAX_ITEMS]
        }
        return shown | ({"(more)": len(value) - MAX_ITEMS} if len(value) > MAX_ITEMS else {})
    if isinstance(value, list):
        items = [mask(item, name, personal=personal, depth=depth + 1) for item in value[:MAX_ITEMS]]
        return items + ([f"({len(value) - MAX_ITEMS} more)"] if len(value) > MAX_ITEMS else [])
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    if personal or scrubbed(text) != text or not _TOKEN.fullmatch(text):
        return f"(left out: {len(text)} characters)"
    return value


def mask_text(text: str) -> str:
    """Return a reason or a stack without phone numbers and mail addresses: it may quote what it failed on."""
    return scrubbed(text)


def _speaks_of_a_person(name: str) -> bool:
    plain = plain_name(name)
    return is_secret(plain) or is_personal(plain) or _PERSONAL.search(name) is not None


def _shown_name(name: Any) -> str:
    text = str(name)
    return text if _TOKEN.fullmatch(text) and scrubbed(text) == text else f"(name of {len(text)} characters)"
