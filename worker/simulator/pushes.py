"""What a push is about, read without the product's own parsers: a mistake in those must not hide a lost callback."""

from __future__ import annotations

import json
from datetime import datetime
from urllib.parse import parse_qs


def about(body: bytes) -> tuple[int, list[str]]:
    """Return a push's stamp (Unix ms) and the orders that it names, in either dialect."""
    return _open_platform(body) if body.startswith((b"message=", b"_aop_signature=")) else _pandapon(body)


def _pandapon(body: bytes) -> tuple[int, list[str]]:
    message = json.loads(body)
    content = message["messageBody"]
    if isinstance(content, str):
        content = json.loads(content)
    if "orderId" in content:
        return int(message["timestamp"]), [str(content["orderId"])]
    if "baseInfo" in content:
        return int(message["timestamp"]), [str(content["baseInfo"].get("idOfStr") or content["baseInfo"]["id"])]
    items = content.get("MailNoChangeModel", {}).get("orderLogsItems", ())
    return int(message["timestamp"]), sorted({str(item["orderId"]) for item in items})


def _open_platform(body: bytes) -> tuple[int, list[str]]:
    message = json.loads(parse_qs(body.decode())["message"][0])
    data = message["data"]
    if isinstance(data, str):
        data = json.loads(data)
    born = message["gmtBorn"]
    stamp = int(born) if str(born).isdigit() else int(datetime.fromisoformat(str(born)).timestamp() * 1000)
    if "orderId" in data:
        return stamp, [str(data["orderId"])]
    items = data.get("MailNoChangeModel", {}).get("orderLogsItems") or data.get("OrderLogisticsTracingModel", {}).get(
        "orderLogsItems", ()
    )
    return stamp, sorted({str(item["orderId"]) for item in items})
