"""The address book."""

from __future__ import annotations

from tests.sandbox.stage import Stage
from worker.catalogue.operation import Dialect
from worker.catalogue.tables import find
from worker.sandbox.menu import unpublished_path

SAVE = "/open/address/addOrUpdate"
GET = unpublished_path(find(Dialect.PANDAPON, "basis.address.get"))


async def test_an_address_is_added_changed_and_read() -> None:
    stage = Stage(orders=0)
    assert (await stage.post(SAVE, {"name": "A", "city": "B"}))["data"] is None
    assert (await stage.post(f"/v2{SAVE}", {"id": 1, "city": "C"}))["code"] == 200
    (row,) = (await stage.post(GET, {}))["data"]
    assert (row["id"], row["name"], row["city"], row["phone"]) == (1, "A", "C", None)


async def test_an_address_that_is_not_there_or_empty_is_refused() -> None:
    stage = Stage(orders=0)
    assert (await stage.post(SAVE, {"id": 7, "city": "C"}))["code"] == 40406
    assert (await stage.post(SAVE, {}))["code"] == 40000
    assert (await stage.post(GET, {}))["data"] == []
