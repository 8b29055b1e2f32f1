"""docker-compose.yml fits the specification; its names lead somewhere, and it opens nothing to other machines."""

from __future__ import annotations

import copy
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tools.check_compose import FILE, check, known_settings, schema_problems
from tools.report import ROOT

if TYPE_CHECKING:
    from pathlib import Path

WHOLE: dict[str, Any] = yaml.safe_load((ROOT / FILE).read_text(encoding="utf-8"))
KNOWN = known_settings()


def with_change(service: str, **changes: object) -> dict[str, Any]:
    document = copy.deepcopy(WHOLE)
    document["services"][service].update(changes)
    return document


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("services: {a: {imag: b}}", "'imag' was unexpected"),
        ("services: {a: {image: 3}}", "is not of type 'string'"),
        ("services: {a: [", "Failed to parse"),
    ],
)
def test_what_the_specification_refuses_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(text)
    assert problem in next(schema_problems(path))


@pytest.mark.parametrize(
    ("service", "changes", "problem"),
    [
        ("worker", {"ports": ["8080:8080"]}, "worker: ports: 8080:8080 is open to other machines"),
        ("worker", {"ports": ["0.0.0.0:80:8080"]}, "worker: ports: 0.0.0.0:80:8080 is open to other machines"),
        ("worker", {"ports": [{"target": 8080}]}, "worker: ports: {'target': 8080} is open to other machines"),
        ("worker", {"secrets": ["forgotten"]}, "worker: secrets: forgotten is not declared"),
        ("worker", {"networks": ["nowhere"]}, "worker: networks: nowhere is not declared"),
        ("worker", {"configs": [{"source": "lost"}]}, "worker: configs: lost is not declared"),
        ("kafka", {"volumes": ["lost:/data"]}, "kafka: volumes: lost is not declared"),
        ("worker", {"depends_on": {"nobody": {}}}, "worker: depends_on: there is no service nobody"),
        (
            "worker",
            {"depends_on": {"topics": {"condition": "service_healthy"}}},
            "worker: depends_on: topics has no healthcheck",
        ),
        ("kafka", {"image": "apache/kafka"}, "kafka: image: apache/kafka has no version"),
        ("kafka", {"image": "apache/kafka:latest"}, "kafka: image: apache/kafka:latest has no version"),
        ("worker", {"read_only": False}, "worker: read_only: "),
        ("worker", {"deploy": {}}, "worker: deploy.resources.limits.memory is missing"),
        (
            "topics",
            {"environment": {"ORDERSYNC_KAFKA_SERVERS": "kafka:9092"}},
            "topics: ORDERSYNC_KAFKA_SERVERS is not a setting of the worker",
        ),
    ],
)
def test_what_the_schema_cannot_know_is_found(service: str, changes: dict[str, object], problem: str) -> None:
    assert any(found.startswith(problem) for found in check(with_change(service, **changes), KNOWN))


@pytest.mark.parametrize("file", ["accounts", "operators"])
def test_a_file_that_is_named_and_not_mounted_is_found(file: str) -> None:
    mounted = [config for config in WHOLE["services"]["worker"]["configs"] if config["source"] != file]
    assert check(with_change("worker", configs=mounted), KNOWN) == [
        f"worker: ORDERSYNC_{file.upper()}_FILE: no config is mounted at /etc/ordersync/{file}.toml"
    ]


def test_the_secrets_of_the_people_in_the_example_are_mounted_in_the_worker() -> None:
    example = tomllib.loads((ROOT / "deploy" / "operators.example.toml").read_text(encoding="utf-8"))
    named = {row["token_sha256_file"].removeprefix("/run/secrets/") for row in example["operators"]}
    assert named <= set(WHOLE["services"]["worker"]["secrets"])


def test_a_service_that_would_not_come_back_is_found() -> None:
    document = copy.deepcopy(WHOLE)
    del document["services"]["postgres"]["restart"]
    assert check(document, KNOWN) == ["postgres: restart is missing"]


def test_our_file_passes() -> None:
    assert list(schema_problems(ROOT / FILE)) == []
    assert check(WHOLE, KNOWN) == []


def test_every_secret_that_the_script_makes_is_mounted_and_every_mounted_one_is_made() -> None:
    script = (ROOT / "deploy" / "init-secrets.sh").read_text(encoding="utf-8")
    assert {name for name in WHOLE["secrets"] if name not in script} == set()
    assert {secret["file"] for secret in WHOLE["secrets"].values()} == {
        f"./deploy/secrets/{name}" for name in WHOLE["secrets"]
    }
