"""One process of a campaign: reads what to play from standard input, writes one JSON line per seed.

    python -m worker.simulator.child

Run with PYTHONHASHSEED=0, so that nothing depends on the order of a set of texts in this process.
"""

from __future__ import annotations

import logging
import sys
import traceback

import msgspec
import structlog

from worker.simulator.run import Outcome, play
from worker.simulator.server import Database, create_database


class Order(msgspec.Struct, frozen=True):
    """What a child is to do. `seeds` are played one after the other; `without` names faults that are left out."""

    dsn: str
    name: str
    seeds: list[int]
    without: list[str] = []
    keep_lines: bool = False


def be_quiet() -> None:
    """Let the workers' own log lines go nowhere: a run's trace is what counts, and there are many workers."""
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.disable(logging.CRITICAL)


def _drop(_logger: object, _name: str, _event: object) -> str:
    raise structlog.DropEvent


def play_or_tell(seed: int, database: Database, order: Order) -> Outcome:
    """Play a seed; what the simulation itself stumbles over is an outcome, too."""
    try:
        return play(seed, database, without=order.without, keep_lines=order.keep_lines)
    except Exception as error:  # noqa: BLE001 - the other seeds are still to be played
        where = "".join(traceback.format_exception(error, limit=-6))
        return Outcome(seed, "-", [f"the simulation failed: {type(error).__name__}: {error}\n{where}"], [], {}, 0.0)


def main() -> None:
    """Do what standard input says."""
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    be_quiet()
    database = Database(create_database(order.dsn, order.name))
    try:
        for seed in order.seeds:
            outcome = play_or_tell(seed, database, order)
            sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
            sys.stdout.buffer.flush()
    finally:
        database.close()


if __name__ == "__main__":
    main()
