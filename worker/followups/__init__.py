"""The effect ledger's executors: fresh reads, and payments that happen once."""
