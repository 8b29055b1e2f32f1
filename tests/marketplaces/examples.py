"""Golden messages as bytes and as objects, with every number kept exact."""

import json
from pathlib import Path
from typing import Any

from worker.marketplaces.values import decode_json

GOLDEN = Path(__file__).with_name("golden")
CALLBACKS = sorted(path.stem for path in (GOLDEN / "callbacks").glob("*.json"))
PUSHED_AT = 1_767_233_100_000
"""The push time of every golden message: 2026-01-01 10:05:00 in Beijing."""
RECEIVED_AT = PUSHED_AT + 40
ORDER_ID = "3300000000000000001"
OTHER_ORDER_ID = "3300000000000000002"
REFUND_ID = "TQ660000000000000001"
TAOBAO_ORDER_ID = "4400000000000000002"


def callback(name: str) -> bytes:
    return (GOLDEN / "callbacks" / f"{name}.json").read_bytes()


def callback_object(name: str) -> dict[str, Any]:
    found: dict[str, Any] = decode_json(callback(name))
    return found


def body_object(name: str) -> dict[str, Any]:
    """The message's body as an object, whichever of the two forms it has."""
    body = callback_object(name)["messageBody"]
    found: dict[str, Any] = decode_json(body) if isinstance(body, str) else body
    return found


def order_1688() -> dict[str, Any]:
    """The golden order object, as decoded from an answer."""
    found: dict[str, Any] = decode_json((GOLDEN / "order_1688.json").read_bytes())
    return found


def dump(value: Any) -> bytes:
    """JSON of a decoded value: integers of any size, decimals as the numbers that they were."""
    return json.dumps(value, ensure_ascii=False, default=float).encode()
