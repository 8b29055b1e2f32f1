"""The rig: all parts as real processes, workers that reach them through proxies, a steady load."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from proof.rig.configuration import CALLBACK_TOKEN, worker_environment, write_accounts
from proof.rig.front_door import FrontDoor
from proof.rig.kafka import KafkaRig, kafka
from proof.rig.spool_disk import SpoolDisk, spool_disk
from proof.rig.tcp_proxy import TcpProxy
from proof.rig.worker_process import WorkerProcess
from tools.kafka import ApacheKafka
from worker.accounts import Account, load_accounts
from worker.cli.options import FaultLevel, SandboxOptions
from worker.demo.office import Office
from worker.demo.stage import ACCOUNT, DAILY_BUDGET_PER_ORDER
from worker.demo.twin import Twin
from worker.domain.policy import Policy
from worker.embedded import EmbeddedPostgres
from worker.embedded.ports import free_port
from worker.storage import schema
from worker.storage.decision_rows import policies_of
from worker.storage.engine import create_engine
from worker.supervision import keep_running


class RigOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. `expected_orders` sets the day's budget; `clocks`: workers whose wall clock can be set wrong."""

    brokers: int = 1
    workers: int = 3
    seed: int = 1
    expected_orders: int = 600
    faults: FaultLevel = "usual"
    """How nasty the marketplace is by itself."""
    speed: float = 8_000.0
    """How many times faster than reality orders live. At this speed one can be paid for about 54 s."""
    clocks: bool = False
    spool_disk: bool = False
    """The spool table lies on a small disk of its own that can be filled, where we may mount one."""


class Rig(msgspec.Struct, frozen=True):
    """Everything that runs. What has a proxy can be cut off from the workers; the proof itself goes past them."""

    options: RigOptions
    directory: Path
    account: Account
    postgres: EmbeddedPostgres
    engine: AsyncEngine
    kafka: KafkaRig
    marketplace: Twin
    workers: list[WorkerProcess]
    front_door: FrontDoor
    postgres_proxies: list[TcpProxy]
    """One per worker, in their order."""
    marketplace_proxy: TcpProxy
    spool_disk: SpoolDisk

    @property
    def policies(self) -> dict[str, Policy]:
        """The rules of the account, as judges and people want them."""
        return {ACCOUNT: self.account.policy.to_policy(frozenset())}

    async def begin(self) -> None:
        """Tell the marketplace where callbacks go; orders begin with `load`."""
        await self.marketplace.begin(f"{self.front_door.url}/callbacks/{ACCOUNT}/{CALLBACK_TOKEN}")

    async def load(self, per_s: float) -> None:
        """Let `per_s` new orders begin per second, until cancelled."""
        owed = 0.0
        last = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(1.0)
            now = asyncio.get_running_loop().time()
            owed, last = owed + per_s * (now - last), now
            if count := int(owed):
                await self.marketplace.add_orders(count)
                owed -= count


def missing() -> str | None:
    """Return what this machine lacks to run a rig, or None if nothing."""
    return ApacheKafka.missing()


@contextlib.asynccontextmanager
async def running_rig(options: RigOptions, directory: Path) -> AsyncIterator[Rig]:
    """Run everything for the length of a block; logs go to `directory`. At the end every process is gone."""
    async with contextlib.AsyncExitStack() as stack:
        disk = stack.enter_context(spool_disk(real=options.spool_disk))
        postgres = await stack.enter_async_context(EmbeddedPostgres(durable=True))
        await asyncio.to_thread(schema.upgrade, postgres.dsn())
        engine = create_engine(postgres.dsn(), application="proof", pool_size=4)
        stack.push_async_callback(engine.dispose)
        await disk.take_spool(engine)
        cluster = await stack.enter_async_context(kafka(options.brokers))
        twin = SandboxOptions(
            orders=0, seed=options.seed, faults=options.faults, speed=options.speed, buyer_confirms=False
        )
        marketplace = await stack.enter_async_context(Twin(twin, directory))
        port = int(marketplace.url.rpartition(":")[2])
        marketplace_proxy = await stack.enter_async_context(TcpProxy("marketplace", port))
        accounts = directory / "accounts.toml"
        write_accounts(
            accounts,
            f"http://127.0.0.1:{marketplace_proxy.port}",
            daily_budget=options.expected_orders * DAILY_BUDGET_PER_ORDER,
        )
        inner = int(postgres.dsn().rpartition(":")[2].partition("/")[0])
        proxies = [
            await stack.enter_async_context(TcpProxy(f"postgres-{number}", inner))
            for number in range(1, options.workers + 1)
        ]
        workers = [
            _worker(options, number, directory, accounts, _through(postgres.dsn(), inner, proxy), cluster)
            for number, proxy in enumerate(proxies, 1)
        ]
        door = await stack.enter_async_context(FrontDoor(workers, directory / "callbacks.jsonl"))
        await stack.enter_async_context(_kept_running(workers))
        account = load_accounts(accounts, worker_environment(accounts, dsn="", kafka="", port=0, name=""))[0]
        rig = Rig(
            options,
            directory,
            account,
            postgres,
            engine,
            cluster,
            marketplace,
            workers,
            door,
            proxies,
            marketplace_proxy,
            disk,
        )
        await stack.enter_async_context(_people(rig))
        yield rig


def _worker(
    options: RigOptions, number: int, directory: Path, accounts: Path, dsn: str, cluster: KafkaRig
) -> WorkerProcess:
    environment = worker_environment(
        accounts, dsn=dsn, kafka=cluster.outer_servers, port=free_port(), name=f"worker-{number}"
    )
    clock_file = directory / f"worker-{number}.clock" if options.clocks else None
    return WorkerProcess(number, directory, environment, clock_file)


def _through(dsn: str, port: int, proxy: TcpProxy) -> str:
    return dsn.replace(f":{port}/", f":{proxy.port}/")


@contextlib.asynccontextmanager
async def _kept_running(workers: list[WorkerProcess]) -> AsyncIterator[None]:
    """Start the workers and keep them running; at the end they are asked to stop, all at once."""
    watching: list[asyncio.Task[None]] = []
    try:
        await asyncio.gather(*(worker.start() for worker in workers))
        watching = [asyncio.create_task(worker.supervise(), name=worker.name) for worker in workers]
        yield
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        await asyncio.gather(*(worker.terminate() for worker in workers))


@contextlib.asynccontextmanager
async def _people(rig: Rig) -> AsyncIterator[None]:
    """The demo's people: who approve or reject what waits, and look into books where no read can tell."""
    policy_of = policies_of(rig.policies)
    office = Office(rig.engine, policy_of, rig.marketplace)
    jitter = random.Random(rig.options.seed)  # noqa: S311 - pauses, not secrets
    deciding = asyncio.create_task(keep_running("office", office.run, jitter), name="office")
    try:
        yield
    finally:
        deciding.cancel()
        await asyncio.gather(deciding, return_exceptions=True)
