"""Kafka to Postgres, batch by batch: one transaction each, Kafka told after it."""
