"""Benchmarks: each measures a ratio within one run, against Apache Kafka, and verifies every id it sent."""
