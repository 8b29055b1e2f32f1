"""A rig of real processes for proofs: Apache Kafka, a durable Postgres, the marketplace's twin, and workers.

    async with running_rig(RigOptions(brokers=3, workers=3, expected_orders=600), directory) as rig:
        await rig.begin()                                    # callbacks go to rig.front_door, which spreads them
        load = asyncio.create_task(rig.load(per_s=2.0))      # or rig.marketplace.add_orders(count)
        await rig.workers[0].kill()                          # -9; also freeze, thaw, terminate
        await rig.workers[0].start()
        rig.postgres_proxies[1].set(Link.BLACK_HOLE)         # also CUT, DELAY, HALF_OPEN; PASS heals
        rig.kafka.proxies[0].set(Link.DELAY, 0.5)
        await rig.kafka.kill(2); await rig.kafka.start(2)
        load.cancel()

Workers reach Postgres, Kafka and the marketplace through proxies of this process; `rig.engine`, `rig.kafka.servers` and
`rig.marketplace` go past them, for who measures and judges. A worker that ends by itself is started again, as a service
manager would. Logs are in `directory`: worker-N.log, sandbox.log, callbacks.jsonl (what the workers answered).
At the end of the block no process is left, also if the proof itself is killed. `missing()` says what a machine lacks.
"""

from proof.rig.stage import Rig, RigOptions, missing, running_rig
from proof.rig.tcp_proxy import Link, TcpProxy
from proof.rig.worker_process import WorkerError, WorkerProcess

__all__ = ["Link", "Rig", "RigOptions", "TcpProxy", "WorkerError", "WorkerProcess", "missing", "running_rig"]
