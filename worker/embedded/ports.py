"""Free TCP ports of 127.0.0.1 for servers that are told their port."""

import errno
import random
import socket
from collections.abc import Iterable

# Below the range from which kernels serve outgoing connections (32768 on Linux, 49152 on macOS). A port of that range
# can be taken by any client while our server restarts; worse, a client that keeps dialling it may connect to itself.
_LOWEST, _HIGHEST = 15_000, 29_999
_ATTEMPTS = 200


def free_port(rng: random.Random | None = None, taken: Iterable[int] = ()) -> int:
    """Return a port that nobody listened on a moment ago and that is not among `taken`.

    Another process may take it before the server does: callers start again with another port (a bounded number of
    times) when the server reports that the address is in use.
    """
    source = rng or random.SystemRandom()
    excluded = set(taken)
    for _ in range(_ATTEMPTS):
        port = source.randint(_LOWEST, _HIGHEST)
        if port not in excluded and _is_free(port):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port found among {_ATTEMPTS} tried in {_LOWEST}-{_HIGHEST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
