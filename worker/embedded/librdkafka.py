"""The few functions of librdkafka that make its mock cluster, through ctypes.

They are the public C interface for tests (`rdkafka_mock.h`), which the Python package does not wrap. Its authors call
it experimental: the wheel is pinned by hash, and a missing function is reported when the library is loaded.
"""

import ctypes
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from worker.embedded.errors import EmbeddedError

_PACKAGE = "confluent_kafka"
_POINTER, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
_INT, _INT16, _INT32 = ctypes.c_int, ctypes.c_int16, ctypes.c_int32
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "rd_kafka_version_str": (_TEXT, []),
    "rd_kafka_err2str": (_TEXT, [_INT]),
    "rd_kafka_conf_new": (_POINTER, []),
    "rd_kafka_conf_set": (_INT, [_POINTER, _TEXT, _TEXT, _TEXT, _SIZE]),
    "rd_kafka_conf_destroy": (None, [_POINTER]),
    "rd_kafka_new": (_POINTER, [_INT, _POINTER, _TEXT, _SIZE]),
    "rd_kafka_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_new": (_POINTER, [_POINTER, _INT]),
    "rd_kafka_mock_cluster_destroy": (None, [_POINTER]),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, [_POINTER]),
    "rd_kafka_mock_topic_create": (_INT, [_POINTER, _TEXT, _INT, _INT]),
    "rd_kafka_mock_group_initial_rebalance_delay_ms": (None, [_POINTER, _INT32]),
    "rd_kafka_mock_broker_set_down": (_INT, [_POINTER, _INT32]),
    "rd_kafka_mock_broker_set_up": (_INT, [_POINTER, _INT32]),
    "rd_kafka_mock_broker_set_rtt": (_INT, [_POINTER, _INT32, _INT]),
    "rd_kafka_mock_push_request_errors_array": (None, [_POINTER, _INT16, _SIZE, ctypes.POINTER(_INT)]),
    "rd_kafka_mock_clear_request_errors": (None, [_POINTER, _INT16]),
}


def library_path() -> Path:
    """Return the shared library that the wheel bundles. Does not import the package."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("no embedded Kafka here: install the extra 'embedded' (pip install '.[embedded]')")
    package = Path(spec.submodule_search_locations[0])
    for folder, pattern in (
        (package.parent / f"{_PACKAGE}.libs", "librdkafka*.so*"),  # Linux wheels (auditwheel)
        (package / ".dylibs", "librdkafka*.dylib"),  # macOS wheels (delocate)
    ):
        if found := sorted(folder.glob(pattern)):
            return found[0]
    raise EmbeddedError(f"{package} carries no librdkafka: install the wheel of {_PACKAGE}, not a build of your own")


class Library:
    """librdkafka with typed functions: `library["rd_kafka_new"](...)`."""

    def __init__(self, path: Path) -> None:
        handle = ctypes.CDLL(str(path))
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in _SIGNATURES.items():
            try:
                function = getattr(handle, name)
            except AttributeError:
                raise EmbeddedError(f"{path.name} has no function {name}: install the pinned version") from None
            function.restype, function.argtypes = result, arguments
            self._functions[name] = function

    def __getitem__(self, name: str) -> Callable[..., Any]:
        return self._functions[name]

    def check(self, code: int, what: str) -> None:
        """Raise an error that says `what` failed if `code` is not 0."""
        if code != 0:
            raise EmbeddedError(f"{what}: {self['rd_kafka_err2str'](code).decode()}")


@functools.cache
def load() -> Library:
    """Load the library once per process; `import confluent_kafka` then shares it."""
    return Library(library_path())
