"""The same work in DBOS Transact: a durable workflow of two steps, each of which takes as long as a call."""

from __future__ import annotations

import asyncio
import sys
import time

from dbos import DBOS, DBOSConfig

_call_s = 0.0


@DBOS.step()
async def read_order(order_id: str) -> str:
    """Stand for the fresh read."""
    await asyncio.sleep(_call_s)
    return order_id


@DBOS.step()
async def pay_order(order_id: str) -> str:
    """Stand for the payment."""
    await asyncio.sleep(_call_s)
    return order_id


@DBOS.workflow()
async def payment(order_id: str) -> str:
    """Read, then pay; both are recorded."""
    return await pay_order(await read_order(order_id))


async def run_workflows(dsn: str, count: int, under_way: int, call_s: float) -> float:
    """Return workflows per second, measured in a process of its own: DBOS takes the event loop's threads along."""
    given = [dsn, str(count), str(under_way), str(call_s)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.durable_workflows", *given, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the comparison ended with status {process.returncode}")
    return float(told.split()[-1])


async def _measure(count: int, under_way: int) -> float:
    slots = asyncio.Semaphore(under_way)

    async def one(number: int) -> None:
        async with slots:
            await payment(str(number))

    await one(-1)  # what is made on the first call is not measured
    started = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return count / (time.perf_counter() - started)


def main() -> int:
    """Measure with DSN, count, number under way, seconds per call; print workflows per second."""
    global _call_s  # noqa: PLW0603 - a step's arguments are recorded; this is no argument
    dsn, count, under_way, call_s = sys.argv[1:]
    _call_s = float(call_s)
    url = dsn.rpartition("/")[0] + "/dbos_bench"  # a database of its own
    config: DBOSConfig = {"name": "bench", "system_database_url": url, "log_level": "WARNING"}
    DBOS(config=config)
    DBOS.launch()
    try:
        print(asyncio.run(_measure(int(count), int(under_way))))
    finally:
        DBOS.destroy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
