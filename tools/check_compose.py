"""Judges docker-compose.yml without Docker: by the Compose specification's own schema, then by what no schema knows.

The schema comes with check-jsonschema. Our rules: every name leads somewhere, nothing is reachable from other machines,
images carry a version, services are limited and restart, and the settings that we pass exist, with the files they name.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import yaml

from tools.report import ROOT, finish

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

FILE = "docker-compose.yml"
PREFIX = "ORDERSYNC_"
VERSIONED = re.compile(r".+:(?!latest$)[\w.-]+(@sha256:[0-9a-f]{64})?")

Service = dict[str, Any]


def schema_problems(path: Path) -> Iterator[str]:
    """Yields what the Compose specification's schema says against the file.

    Raises:
        RuntimeError: the validator itself failed.
    """
    done = subprocess.run(  # noqa: S603  the command is ours
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "-o", "json", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise RuntimeError(f"check-jsonschema failed (exit {done.returncode}): {done.stderr.strip()}") from None
    for error in report.get("errors", []):
        yield f"{path.name}: {error['path']}: {error['message']}"
    for error in report.get("parse_errors", []):
        yield f"{path.name}: {error['message']}"


def dangling(name: str, service: Service, document: Mapping[str, Any]) -> Iterator[str]:
    """Yields each network, secret, config, volume and service that one service names and nobody declares."""
    for kind in ("networks", "secrets", "configs"):
        for item in service.get(kind, []):
            used = item["source"] if isinstance(item, dict) else item
            if used not in (document.get(kind) or {}):
                yield f"{name}: {kind}: {used} is not declared"
    for volume in service.get("volumes", []):
        source = volume.split(":")[0] if isinstance(volume, str) else volume.get("source", "")
        if not source.startswith((".", "/")) and source not in (document.get("volumes") or {}):
            yield f"{name}: volumes: {source} is not declared"
    for other, how in service.get("depends_on", {}).items():
        target = document["services"].get(other)
        if target is None:
            yield f"{name}: depends_on: there is no service {other}"
        elif how.get("condition") == "service_healthy" and "healthcheck" not in target:
            yield f"{name}: depends_on: {other} has no healthcheck, so it never becomes healthy"


def careless(name: str, service: Service, built: Collection[str]) -> Iterator[str]:
    """Yields what would run, but should not: open ports, floating images, services without limits or restart policy."""
    for port in service.get("ports", []):
        host = port.get("host_ip", "") if isinstance(port, dict) else str(port).rpartition(":")[0].rpartition(":")[0]
        if host != "127.0.0.1":
            yield f"{name}: ports: {port} is open to other machines; publish on 127.0.0.1 only"
    image = service.get("image", "")
    if image not in built and not VERSIONED.fullmatch(image):
        yield f"{name}: image: {image or 'none'} has no version"
    if image in built and service.get("read_only") is not True:
        yield f"{name}: read_only: our own image writes nothing outside /tmp; keep it so"
    limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
    for limit in ("cpus", "memory"):
        if limit not in limits:
            yield f"{name}: deploy.resources.limits.{limit} is missing"
    if "restart" not in service:
        yield f"{name}: restart is missing"


def unknown_settings(name: str, service: Service, known: Collection[str]) -> Iterator[str]:
    """Yields each of our settings, as variable or as secret file, that the worker does not read."""
    given = [variable for variable in service.get("environment", {}) if variable.startswith(PREFIX)]
    files = [item["target"] if isinstance(item, dict) else item for item in service.get("secrets", [])]
    given += [secret.upper() for secret in files if secret.startswith(PREFIX.lower())]
    for variable in given:
        if variable not in known:
            yield f"{name}: {variable} is not a setting of the worker"


def unmounted(name: str, service: Service) -> Iterator[str]:
    """Yields each file that the settings of a running worker name and no config puts there."""
    if service.get("command", [])[:1] != ["run"]:
        return
    mounted = {item.get("target") for item in service.get("configs", []) if isinstance(item, dict)}
    for variable, path in service.get("environment", {}).items():
        if variable.startswith(PREFIX) and variable.endswith("_FILE") and path not in mounted:
            yield f"{name}: {variable}: no config is mounted at {path}"


def check(document: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Our own rules for a file that fits the schema; `known` are the names of all settings."""
    services: dict[str, Service] = document["services"]
    built = {service["image"] for service in services.values() if "build" in service and "image" in service}
    problems: list[str] = []
    for name, service in services.items():
        problems += dangling(name, service, document)
        problems += careless(name, service, built)
        problems += unknown_settings(name, service, known)
        problems += unmounted(name, service)
    return problems


def known_settings() -> set[str]:
    """The names of the environment variables that the worker reads."""
    from worker.settings import Settings

    return {f"{PREFIX}{field}".upper() for field in Settings.model_fields}


def main() -> int:
    """Checks this tree's file."""
    path = ROOT / FILE
    problems = list(schema_problems(path))
    if not problems:
        problems = check(yaml.safe_load(path.read_text(encoding="utf-8")), known_settings())
    return finish("check-compose", problems, f"{FILE} fits the specification and our rules")


if __name__ == "__main__":
    sys.exit(main())
