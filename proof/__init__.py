"""Proofs on real parts: Apache Kafka, a durable Postgres, worker processes, and faults between them."""
