"""`python -m bench [executor|ingress|reconcile]`: runs the benchmarks and writes bench/results/NAME.json."""

from __future__ import annotations

import argparse
import sys

import uvloop

from bench import executor, ingress, reconcile
from bench.report import Result, save

BENCHMARKS = {"executor": executor.measure, "ingress": ingress.measure, "reconcile": reconcile.measure}


def main() -> int:
    """Run what was asked for; the status is 1 if a ratio misses its target or an id is missing."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("only", nargs="?", choices=sorted(BENCHMARKS), help="only this one")
    only = parser.parse_args().only
    results: list[Result] = []
    for name in [only] if only else BENCHMARKS:
        print(f"measuring {name} …", flush=True)
        result = uvloop.run(BENCHMARKS[name]())
        save(result)
        results.append(result)
        print(result.line(), flush=True)
    return 0 if all(result.verified and result.ratio >= result.target for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
