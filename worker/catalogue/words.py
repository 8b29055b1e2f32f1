"""Fields written as words.

`orderId*:id_number` is a required id that travels as a bare number, `receiver!:object` is personal.
"""

from __future__ import annotations

from worker.catalogue.operation import Field, Kind


def fields(*rows: str) -> tuple[Field, ...]:
    """Return the fields that the rows name. Raises ValueError for a kind that does not exist."""
    found = []
    for word in " ".join(rows).split():
        path, _, kind = word.partition(":")
        bare = path.rstrip("*!")
        marks = path[len(bare) :]
        found.append(Field(bare, Kind(kind), required="*" in marks, personal="!" in marks))
    return tuple(found)
