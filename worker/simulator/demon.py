"""Trouble that comes by itself, not at a commit or a call: outages, frozen machines, deaths in between."""

from __future__ import annotations

import asyncio

from worker.simulator.machines import Fleet

LOOK_EVERY_S = 2.0
FROZEN_S = (5.0, 90.0)
"""Some freezes outlast a lease (60 s) and a consumer's session (30 s): who thaws then is a zombie."""
KAFKA_AWAY_S = (1.0, 40.0)
DATABASE_AWAY_S = (1.0, 20.0)


class Demon:
    """Torments a fleet as the dice say."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._dice = fleet.postgres.dice

    async def torment(self) -> None:
        """Roll now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self._roll()

    def heal(self) -> None:
        """End all trouble: no fault falls from now on, and everybody and everything is back."""
        self._dice.armed = False
        self._fleet.trace.note("healed", "world")
        self._fleet.thaw_all()
        self._back("kafka")
        self._back("database")

    def _roll(self) -> None:
        fleet, dice = self._fleet, self._dice
        victims = [machine for machine in fleet.alive if not fleet.loop.is_frozen(machine)]
        if victims and dice.falls("crash"):
            fleet.crash(dice.stream("victim").choice(victims), "out of the blue")
        victims = [machine for machine in victims if machine.alive]
        if victims and dice.falls("freeze"):
            fleet.freeze(dice.stream("victim").choice(victims), dice.between("frozen", *FROZEN_S))
        if victims and dice.falls("presence lost"):
            machine = dice.stream("victim").choice(victims)
            fleet.trace.note("presence lost", machine.name)
            fleet.postgres.cut_application(machine, "ordersync-presence")
        if not fleet.cluster.is_away and dice.falls("kafka away"):
            fleet.trace.note("kafka away", "world")
            fleet.cluster.is_away = True
            fleet.later(dice.between("away", *KAFKA_AWAY_S), lambda: self._back("kafka"))
        if not fleet.postgres.is_away and dice.falls("database away"):
            fleet.trace.note("database away", "world")
            fleet.postgres.go_away()
            fleet.later(dice.between("away", *DATABASE_AWAY_S), lambda: self._back("database"))

    def _back(self, what: str) -> None:
        fleet = self._fleet
        if what == "kafka" and fleet.cluster.is_away:
            fleet.trace.note("kafka back", "world")
            fleet.cluster.is_away = False
        if what == "database" and fleet.postgres.is_away:
            fleet.trace.note("database back", "world")
            fleet.postgres.come_back()
