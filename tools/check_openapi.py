"""Compares docs/openapi.json with what the read API really is; `--write` brings it up to date.

python -m tools.check_openapi --write
"""

from __future__ import annotations

import difflib
import json
import sys
import time
import tomllib

from tools.report import ROOT, finish
from worker.operations.access import Access
from worker.operations.api import create_api
from worker.operations.health import Health
from worker.operators import Operators
from worker.storage.engine import create_engine

DOCUMENT = ROOT / "docs" / "openapi.json"
COMMAND = "python -m tools.check_openapi --write"
MAX_DIFF_LINES = 60
_NOWHERE = "postgresql://nobody@localhost/nothing"  # an engine connects when it is first asked, and nobody asks


def rendered() -> str:
    """Return the document as it should be; of the version in pyproject.toml, whatever is installed."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    engine = create_engine(_NOWHERE, application="openapi")
    access, health = Access(Operators()), Health(time.monotonic)
    api = create_api(engine, access=access, health=health, version=version, policies={})
    return json.dumps(api.openapi(), indent=2, ensure_ascii=False) + "\n"


def differences(have: str, want: str) -> list[str]:
    """Return how the document differs from the code: the first lines of a diff, none if it does not."""
    lines = difflib.unified_diff(have.splitlines(), want.splitlines(), "docs/openapi.json", "the code", lineterm="")
    return list(lines)[:MAX_DIFF_LINES]


def main() -> int:
    """Checks the document, or writes it."""
    want = rendered()
    if sys.argv[1:] == ["--write"]:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(want, encoding="utf-8")
        return finish("check-openapi", [], f"{DOCUMENT.relative_to(ROOT)} written")
    if sys.argv[1:]:
        return finish("check-openapi", [f"unknown arguments {sys.argv[1:]}; --write is the only one"], "")
    have = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    diff = differences(have, want)
    advice = f"docs/openapi.json is not what the code says. Look at it and run: {COMMAND}"
    problems = ["\n".join([*diff, advice])] if diff else []
    return finish("check-openapi", problems, "docs/openapi.json says what the read API is")


if __name__ == "__main__":
    sys.exit(main())
