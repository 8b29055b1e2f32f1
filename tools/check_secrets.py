"""Looks for secrets in every file that git tracks: keys and tokens by their shape, values by the name beside them.

A line that only looks like one says so: `secret-scan: not one`, with the reason.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tools.report import ROOT, finish

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 2_000_000
ALLOWED = "secret-scan: not one"
SHAPES = {
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an access key of a cloud": re.compile(r"\b(AKIA|ASIA|LTAI)[A-Za-z0-9]{12,24}\b"),
    "a token of a code host": re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{40,}|glpat-[\w-]{20,})\b"),
    "a token of a chat": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+"),
    "a web token": re.compile(r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\.[A-Za-z0-9_-]{20,}"),
    "an address with a password": re.compile(
        r"\b(?:postgres(?:ql)?|kafka|https?|amqp|redis)://[^\s:/@\"'{}<>$]+:(?P<value>[^\s@\"'{}<>$()]{6,})@"
    ),
}
NAMED = re.compile(
    r"(?P<name>[A-Za-z_]*(?:secret|token|passw(?:or)?d|api_?key|access_?key|signature)[A-Za-z_]*)[\"']?\s*[:=]\s*"
    r"[\"'](?P<value>[A-Za-z0-9+/=_-]{20,})[\"']",
    re.IGNORECASE,
)
"""A value in quotes beside a name that speaks of a secret; judged by how random it is."""
RANDOM_BITS = 3.7
"""Per character. Words and names have less, keys of 20 characters and more have more."""
HEX = re.compile(r"[0-9a-f]{32,}", re.IGNORECASE)
HEX_BITS = 3.2
GENERATED = frozenset(
    {"requirements/bootstrap.txt", "requirements/dev.txt", "requirements/embedded.txt", "requirements/runtime.txt"}
)
INVENTED = re.compile(r"^tests/|^bench/|^proof/")
"""There, values beside a name are invented; what has the shape of a real secret is still looked for."""


def bits_per_character(text: str) -> float:
    """Return how much a character says, at most log2 of how many there are."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def looks_random(value: str) -> bool:
    """Tell whether a value was drawn by a machine, not written by a person."""
    if HEX.fullmatch(value):
        return bits_per_character(value) > HEX_BITS
    has_both = any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
    return has_both and bits_per_character(value) > RANDOM_BITS


def findings(label: str, text: str) -> Iterator[str]:
    """Yields each line that may hold a secret: where it is and what it looks like, never the value."""
    for number, line in enumerate(text.splitlines(), start=1):
        if ALLOWED in line:
            continue
        for what, shape in SHAPES.items():
            match = shape.search(line)
            if match and (what != "an address with a password" or looks_random(match["value"])):
                yield f"{label}:{number}: looks like {what}"
        if INVENTED.search(label):
            continue
        for match in NAMED.finditer(line):
            if looks_random(match["value"]):
                yield f"{label}:{number}: a random value beside the name {match['name']}"


def tracked(root: Path) -> list[Path]:
    """The files that git knows, or would with the next `git add`.

    Raises:
        RuntimeError: git failed: a scan of nothing would find nothing.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603  the command is ours
    if done.returncode or not done.stdout:
        raise RuntimeError(f"git ls-files failed: {done.stderr.strip() or 'no files'}")
    return [root / name for name in done.stdout.split("\0") if name]


def check(root: Path) -> tuple[list[str], int]:
    """Returns what was found, and how many files were read."""
    problems: list[str] = []
    read = 0
    for path in tracked(root):
        label = str(path.relative_to(root))
        if label in GENERATED or not path.is_file() or path.stat().st_size > MAX_BYTES:
            continue
        read += 1
        problems += findings(label, path.read_text(encoding="utf-8", errors="replace"))
    return problems, read


def main() -> int:
    """Checks this tree."""
    try:
        problems, read = check(ROOT)
    except RuntimeError as error:
        return finish("check-secrets", [str(error)], "")
    return finish("check-secrets", problems, f"no secret in {read} files")


if __name__ == "__main__":
    sys.exit(main())
