"""Apache Kafka itself without Docker: jars from Maven Central, KRaft brokers as child processes on loopback ports.

For the test suite, the benchmarks and `python -m tools.kafka`. Needs Java 17 and, the first time, Maven.
"""

from tools.kafka.cluster import ApacheKafka

__all__ = ["ApacheKafka"]
