"""Whole fleets of workers under one seeded scheduler with virtual time, and an auditor that holds them to the promises.

Everything that decides is real: reducer, reconcile, ledger, executors, pollers, sweep, spool, relay, and Postgres.
Simulated are what they meet outside: time, Kafka, the network, and how processes die.
"""
