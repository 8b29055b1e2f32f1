"""`python -m tools.kafka`: run Apache Kafka in the foreground until Ctrl-C, SIGTERM or the end of its parent."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from tools.kafka.cluster import FULL_SPEED, MAX_BROKERS, QUICK_START, ApacheKafka
from worker.embedded import EmbeddedError

_LOOK_AROUND_SECONDS = 0.5


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.kafka", description="Run Apache Kafka without Docker.")
    parser.add_argument("--brokers", type=int, default=1, choices=range(1, MAX_BROKERS + 1), help="default: 1")
    parser.add_argument("--data", type=Path, help="keep the logs in this directory (default: a temporary one)")
    parser.add_argument("--port-file", type=Path, help="write the bootstrap servers here once all brokers serve")
    parser.add_argument("--full-speed", action="store_true", help="full Java compiler: slower start, for measurements")
    return parser.parse_args()


def _write(port_file: Path, servers: str) -> None:
    """Appear by a rename: who waits for the file never reads half of it."""
    unfinished = port_file.with_name(f"{port_file.name}.{os.getpid()}")
    unfinished.write_text(f"{servers}\n", "ascii")
    unfinished.rename(port_file)


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


def _serve(arguments: argparse.Namespace) -> int:
    parent = os.getppid()
    options = FULL_SPEED if arguments.full_speed else QUICK_START
    with ApacheKafka(arguments.brokers, data=arguments.data, java_options=options) as kafka:
        servers = kafka.bootstrap_servers
        print(f"ORDERSYNC_KAFKA_BOOTSTRAP_SERVERS={servers}", flush=True)
        if arguments.port_file:
            _write(arguments.port_file, servers)
        try:
            while kafka.running and os.getppid() == parent:
                time.sleep(_LOOK_AROUND_SECONDS)
        finally:
            if arguments.port_file:
                arguments.port_file.unlink(missing_ok=True)
        return 0 if kafka.running else 1


def main() -> int:
    """Run the command; 1 if Kafka could not start or died."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        return _serve(_arguments())
    except EmbeddedError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
