"""The compensation operations: what failed is listed and confirmed, or handed out and confirmed in one go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.sandbox.aop.failed import FailedMessage
from worker.sandbox.aop.form import Form, invalid
from worker.sandbox.aop.gateway import Action
from worker.sandbox.sandbox import Sandbox

DEFAULT, FEWEST, MOST = 20, 20, 200
_FAR = 2**62


def listed(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`push.query.messageList`: one page. Confirming shifts the pages."""
    number, size = form.integer("page", 1), _size(form, "pageSize")
    found = _waiting(sandbox, form)
    rows = [_shown(sandbox, message) for message in found[(max(1, number) - 1) * size : max(1, number) * size]]
    return {"pushMessagePage": {"datas": rows, "totalCount": len(found)}}


def taken(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`push.cursor.messageList`: what it hands out counts as confirmed. Who loses the answer loses the messages."""
    found = _waiting(sandbox, form)[: _size(form, "quantity")]
    sandbox.open_platform.queue.confirm(str(message.msg_id) for message in found)
    return {"pushMessageList": [_shown(sandbox, message) for message in found]}


def confirmed(sandbox: Sandbox, form: Form) -> dict[str, Any]:
    """`push.message.confirm`."""
    sandbox.open_platform.queue.confirm(str(one) for one in form.list("msgIdList"))
    return {"isSuccess": True}


def _waiting(sandbox: Sandbox, form: Form) -> list[FailedMessage]:
    born = (form.moment("createStartTime", 0), form.moment("createEndTime", _FAR))
    return sandbox.open_platform.queue.waiting(born, form.text("type") or None, form.text("userInfo") or None)


def _size(form: Form, name: str) -> int:
    size = form.integer(name, DEFAULT)
    if not FEWEST <= size <= MOST:
        raise invalid(name, f"{FEWEST} to {MOST}")
    return size


def _shown(sandbox: Sandbox, message: FailedMessage) -> dict[str, Any]:
    group, _, topic = message.type.rpartition("_VIEW_")
    return {
        "msgId": message.msg_id,
        "type": message.type,
        "topicGroup": f"{group}_VIEW" if group else message.type,
        "topicName": topic,
        "userInfo": message.user_info,
        "data": message.data,
        "gmtBorn": message.gmt_born,
        "appKey": sandbox.config.access_key,
    }


ACTIONS: Mapping[str, Action] = {
    "messages.failed.list": listed,
    "messages.failed.take": taken,
    "messages.failed.confirm": confirmed,
}
