"""Kafka's jars, fetched once by Maven into `.kafka/lib/<hash of pom.xml>/`, and the Java that runs them."""

import fcntl
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.embedded import EmbeddedError

JAVA_AT_LEAST = 17
_POM = Path(__file__).with_name("pom.xml")
_STORE = Path(__file__).resolve().parents[2] / ".kafka" / "lib"
_MAVEN_SECONDS = 600.0
_MAVEN_ATTEMPTS = 2  # a broken download is the usual cause of a failure
_JAVA_SECONDS = 30.0
_TAIL_CHARACTERS = 2_000


def missing() -> str | None:
    """Return what this machine lacks to run Kafka, or None if it has everything. Downloads nothing."""
    try:
        java_program()
    except EmbeddedError as error:
        return str(error)
    if not _target().is_dir() and shutil.which("mvn") is None:
        return "Maven is missing (mvn, once, to fetch Kafka's jars)"
    return None


@functools.cache
def java_program() -> Path:
    """Return the `java` of JAVA_HOME, else of the PATH. Raises EmbeddedError if there is none or it is too old."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    if found is None:
        raise EmbeddedError(f"Java is missing (java {JAVA_AT_LEAST} or newer, JAVA_HOME or PATH)")
    answer = subprocess.run(  # noqa: S603 - the machine's own Java
        [found, "-version"], capture_output=True, check=False, text=True, timeout=_JAVA_SECONDS
    )
    version = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        raise EmbeddedError(f"{found} is not Java {JAVA_AT_LEAST} or newer")
    return Path(found)


def fetch_jars() -> Path:
    """Return the directory of the jars; Maven copies them there first if need be.

    The directory appears by one rename, complete or not at all, so a finished one needs no lock and no check.
    """
    target = _target()
    if target.is_dir():
        return target
    maven = shutil.which("mvn")
    if maven is None:
        raise EmbeddedError("Maven is missing (mvn, once, to fetch Kafka's jars)")
    with _only_one_maven():
        if not target.is_dir():
            _STORE.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="unfinished-", dir=_STORE) as scratch:
                copied = Path(scratch, "jars")
                _copy_dependencies(maven, copied)
                copied.rename(target)
    return target


def _target() -> Path:
    return _STORE / hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]


@contextmanager
def _only_one_maven() -> Iterator[None]:
    """Two checkouts of one user share Maven's local repository, which is not made for two writers."""
    repository = Path.home() / ".m2"
    repository.mkdir(parents=True, exist_ok=True)
    with (repository / "order-sync-worker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when the file is closed or we die
        yield


def _copy_dependencies(maven: str, into: Path) -> None:
    command = [maven, "-q", "-B", "--strict-checksums", "-f", str(_POM), "dependency:copy-dependencies"]
    said = ""
    for _ in range(_MAVEN_ATTEMPTS):
        try:
            done = subprocess.run(  # noqa: S603 - the machine's own Maven on our own pom.xml
                [*command, "-DincludeScope=runtime", f"-DoutputDirectory={into}"],
                capture_output=True,
                check=False,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=_MAVEN_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise EmbeddedError(f"Maven did not fetch Kafka's jars within {_MAVEN_SECONDS:g} s") from None
        if done.returncode == 0:
            return
        said = (done.stdout + done.stderr)[-_TAIL_CHARACTERS:].strip()
    raise EmbeddedError(f"Maven could not fetch Kafka's jars:\n{said}")
