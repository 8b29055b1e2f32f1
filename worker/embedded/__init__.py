"""Servers out of wheels: what the demo and the tests run on where there is no Docker. Never for production.

Needs the extra `embedded`. Each server is of this process: it ends with it, however the process ends.
"""

from worker.embedded.errors import EmbeddedError
from worker.embedded.kafka import EmbeddedKafka
from worker.embedded.postgres import EmbeddedPostgres

__all__ = ["EmbeddedError", "EmbeddedKafka", "EmbeddedPostgres"]
