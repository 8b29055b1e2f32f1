"""Looks at everything every few seconds and writes one row of the record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx2

from proof.rig import Rig
from proof.soak.exposition import Classes, Exposition, quantile, since
from proof.soak.faults import RESTARTED, STEADY
from proof.soak.lag import LagMeter
from proof.soak.meters import child_of, connections_to, read_process, waiting_for_cpu
from proof.soak.record import Record, Values
from proof.soak.sender import SenderMeter
from proof.soak.standing import read_standing
from worker.demo.twin import TwinError


class Sampler:
    """Measures a rig. What does not answer is written down as unknown; the measuring itself never stops the run."""

    def __init__(self, rig: Rig, lag: LagMeter, record: Record, now: Callable[[], float] = time.monotonic) -> None:
        self._rig = rig
        self._lag = lag
        self._record = record
        self._now = now
        self._began = now()
        self._sent = SenderMeter()
        self._batches: dict[str, Classes] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._began

    async def run(self, every_s: float) -> None:
        """Sample until cancelled, at fixed times: a slow look delays no later one."""
        number = 0
        while True:
            await self.look()
            number = max(number + 1, int(self.elapsed_s / every_s) + 1)
            await asyncio.sleep(max(0.0, number * every_s - self.elapsed_s))

    async def look(self) -> Values:
        """Measure everything once."""
        at_s = self.elapsed_s
        async with httpx2.AsyncClient(trust_env=False, timeout=4.0) as client:
            parts = await asyncio.gather(
                self._worker("steady", STEADY, client),
                self._worker("restarted", RESTARTED, client),
                read_standing(self._rig.engine),
                self._sender(at_s),
                self._lag.read(),
            )
        values: Values = {"lag_records": parts[4], "waiting_for_cpu_percent": waiting_for_cpu()}
        for part in parts[:4]:
            values |= part
        fresh = [values.pop(f"{worker}.freshness_s", None) for worker in ("steady", "restarted")]
        values["freshness_s"] = max((value for value in fresh if value is not None), default=None)
        self._record.add(at_s, values)
        return values

    def line(self) -> str:
        """Return the last look for people."""
        told = ("orders", "orders_over", "steady.private_mib", "steady.open_files", "steady.connections", "lag_records")
        last = ((name, self._record.series.get(name, [None])[-1]) for name in (*told, "callback_p99_ms"))
        return f"{self.elapsed_s / 60:.0f} min: " + ", ".join(f"{name} {value}" for name, value in last)

    async def _worker(self, name: str, place: int, client: httpx2.AsyncClient) -> Values:
        worker, proxy = self._rig.workers[place], self._rig.postgres_proxies[place]
        pid = worker.pid
        reading = None if pid is None else read_process(pid)
        if pid is None or reading is None:
            return {}
        try:
            told = Exposition((await client.get(f"http://127.0.0.1:{worker.port}/metrics")).text)
        except httpx2.HTTPError:
            return {}  # it is being started: its memory says nothing yet
        batches = told.classes("ordersync_batch_seconds")
        fresh, self._batches[name] = since(self._batches.get(name, {}), batches), batches
        values: Values = {
            "private_mib": reading.private_mib,
            "resident_mib": reading.resident_mib,
            "open_files": reading.open_files,
            "threads": reading.threads,
            "connections": connections_to(pid, proxy.port),
            "freshness_s": told.total("ordersync_reconcile_freshness_seconds"),
            "batch_p99_s": quantile(fresh, 0.99),
        }
        return {f"{name}.{quantity}": value for quantity, value in values.items()}

    async def _sender(self, at_s: float) -> Values:
        try:
            stats = await self._rig.marketplace.stats()
        except (TwinError, httpx2.HTTPError):
            return {}
        pid = child_of(self._rig.marketplace.guard_pid)
        reading = None if pid is None else read_process(pid)
        memory: Values = {"sandbox_mib": None if reading is None else reading.private_mib}
        return self._sent.read(stats, at_s) | memory
