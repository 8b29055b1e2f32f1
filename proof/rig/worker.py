"""`python -m proof.rig.worker CLOCK_FILE`: `ordersync run` with a wall clock that a proof can set wrong.

Everything else is the product's own start: the same settings, the same composition. There is no production setting
for a wrong clock, so the proof has this launcher instead.
"""

from __future__ import annotations

import sys
from pathlib import Path

from proof.rig.clock import FileClock
from worker.accounts import ConfigurationError
from worker.cli.serve import serve


def main() -> int:
    """Run the worker until it is signalled; return the exit status."""
    try:
        return serve(None, FileClock(Path(sys.argv[1])))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
