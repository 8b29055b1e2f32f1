"""All operations in one place."""

from __future__ import annotations

from typing import Final

from worker.catalogue import alibaba1688, pandapon_1688, pandapon_common, pandapon_taobao, xport
from worker.catalogue.operation import Dialect, Operation

OPERATIONS: Final = (
    *pandapon_1688.OPERATIONS,
    *pandapon_taobao.OPERATIONS,
    *pandapon_common.OPERATIONS,
    *xport.OPERATIONS,
    *alibaba1688.OPERATIONS,
)
_BY_NAME: Final = {(operation.dialect, operation.name): operation for operation in OPERATIONS}


def find(dialect: Dialect, name: str) -> Operation:
    """Return an operation. Raises KeyError if the dialect has none of that name."""
    return _BY_NAME[dialect, name]


def operations_of(dialect: Dialect) -> tuple[Operation, ...]:
    """Return a dialect's operations in the order of its manual."""
    return tuple(operation for operation in OPERATIONS if operation.dialect is dialect)
