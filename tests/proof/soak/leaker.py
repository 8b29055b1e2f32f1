"""A process that handles one event per line on its input, and keeps so many bytes of each: `leaker.py BYTES`."""

import os
import sys

kept: list[bytes] = []
leak = int(sys.argv[1])
for _ in sys.stdin:
    work = os.urandom(256 * 1024)  # what an event takes for a moment, leak or not
    if leak:
        kept.append(work[:leak])
    del work
    print("done", flush=True)  # noqa: T201 - the answer
