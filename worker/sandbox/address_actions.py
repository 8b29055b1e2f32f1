"""The address book. Only the saving is documented; what the reading answers is inferred: the same fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.catalogue.operation import Dialect
from worker.sandbox.codes import Refused
from worker.sandbox.menu import Action
from worker.sandbox.parameters import Parameters
from worker.sandbox.sandbox import Sandbox

FIELDS = ("name", "province", "city", "district", "address", "phone")


def get(sandbox: Sandbox, call: Parameters) -> list[dict[str, Any]]:  # noqa: ARG001 - all actions look alike
    """Every address."""
    return [{"id": number} | row for number, row in sandbox.addresses.items()]


def save(sandbox: Sandbox, call: Parameters) -> None:
    """With an id one is changed, without a new one is added; documented: no data in the answer."""
    given = {name: call.text(name) for name in FIELDS if call.has(name)}
    if not call.has("id"):
        if not given:
            raise Refused(40000, "nothing to save")
        sandbox.addresses[len(sandbox.addresses) + 1] = dict.fromkeys(FIELDS) | given
        return
    number = call.integer("id")
    if number not in sandbox.addresses:
        raise Refused(40406, str(number))
    sandbox.addresses[number] |= given


ACTIONS: Mapping[tuple[Dialect, str], Action] = {
    (Dialect.PANDAPON, "basis.address.get"): get,
    (Dialect.PANDAPON, "basis.address.save"): save,
}
