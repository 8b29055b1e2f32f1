"""All faults, by the name of their kind."""

from __future__ import annotations

from proof.chaos.faults import brokers, database, marketplace, workers
from proof.chaos.faults.fault import Fault

_ALL: tuple[type[Fault], ...] = (
    workers.KillWorker,
    workers.Zombie,
    workers.ShortFreeze,
    workers.RollingRestart,
    workers.RestartStorm,
    workers.RebalanceStorm,
    workers.ClockStep,
    brokers.KillBroker,
    brokers.LoseLeader,
    brokers.KafkaCut,
    brokers.KafkaSilent,
    brokers.KafkaUnheard,
    brokers.KafkaSlow,
    database.PostgresRestart,
    database.PostgresCrash,
    database.PostgresCut,
    database.PostgresHung,
    database.PostgresHungForOne,
    database.PostgresUnheard,
    database.PostgresSlow,
    database.SpoolDiskFull,
    marketplace.MarketplaceCut,
    marketplace.MarketplaceSilent,
    marketplace.MarketplaceUnheard,
    marketplace.MarketplaceSlow,
)
FAULTS = {fault.kind.name: fault for fault in _ALL}
KINDS = tuple(fault.kind for fault in _ALL)
