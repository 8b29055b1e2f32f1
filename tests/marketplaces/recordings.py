"""Recordings as golden files: a server that gives the recorded answers again, in their order, to the same questions."""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from worker.marketplaces.redaction import LEFT_OUT, dump
from worker.marketplaces.values import decode_json

Message = MutableMapping[str, Any]


def read_recordings(*files: Path) -> list[dict[str, Any]]:
    """The exchanges of recordings, numbers exact."""
    return [decode_json(line) for file in files for line in file.read_bytes().splitlines()]


class Replay:
    """An ASGI application. A question that was not recorded, or once too often, gets HTTP 404 and is remembered.

    What the recording left out of a path (the app key) matches anything.
    """

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        self.left = [one for one in exchanges if one["answer"] is not None]
        self.unexpected: list[str] = []

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        while (await receive()).get("more_body", False):
            pass
        found = next((one for one in self.left if _is_asked(one["request"], scope)), None)
        if found is None:
            self.unexpected.append(f"{scope['method']} {scope['path']}")
            await _answer(send, 404, {}, b"")
            return
        self.left.remove(found)
        answer = found["answer"]
        body = answer["body"] or {}
        await _answer(send, answer["status"], answer["headers"], dump(body["json"]) if "json" in body else b"")


def _is_asked(request: dict[str, Any], scope: Message) -> bool:
    path = re.escape(request["path"]).replace(re.escape(LEFT_OUT), "[^/]+")
    return request["method"] == scope["method"] and re.fullmatch(path, scope["path"]) is not None


async def _answer(
    send: Callable[[Message], Awaitable[None]], status: int, headers: dict[str, str], body: bytes
) -> None:
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})


def leaves(value: Any) -> list[Any]:
    """Every name and every value of a JSON value, those of JSON texts inside it included."""
    if isinstance(value, dict):
        return [one for key, held in value.items() for one in (key, *leaves(held))]
    if isinstance(value, list):
        return [one for held in value for one in leaves(held)]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return [value, *leaves(json.loads(value))]
        except ValueError:
            return [value]
    return [value]
