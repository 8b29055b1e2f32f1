"""What is published about the API is what the API is, and reading it calls nobody else's machine."""

import json

from tests.operations.api_stage import NOWHERE, served
from tools.check_openapi import DOCUMENT, differences, rendered


async def test_the_document_is_served_and_loads_nothing_from_elsewhere() -> None:
    async with served(NOWHERE) as client:
        document = (await client.get("/openapi.json")).json()
        assert (await client.get("/docs")).status_code == 404
    assert document["info"]["version"] == "1.2.3"
    assert "http" not in json.dumps(document).replace('"type": "http"', "").lower().replace("httpbearer", "")


def test_the_published_document_is_up_to_date() -> None:
    assert differences(DOCUMENT.read_text(encoding="utf-8"), rendered()) == []


def test_a_document_that_says_something_else_is_found() -> None:
    found = differences(rendered().replace('"maximum": 200', '"maximum": 500'), rendered())
    assert any(line.startswith("-") and "500" in line for line in found)
    assert any(line.startswith("+") and "200" in line for line in found)


def test_every_answer_that_is_an_error_has_the_one_shape() -> None:
    paths = json.loads(rendered())["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                if status not in {"200", "202"} and path not in {"/livez", "/readyz"}:
                    schema = answer["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (method, path, status)


def test_money_is_never_a_number_with_a_fraction() -> None:
    schemas = json.loads(rendered())["components"]["schemas"]
    assert schemas["Money"]["properties"]["minor"]["type"] == "integer"
    broken = {
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, kind in schema.get("properties", {}).items()
        if kind.get("type") == "number"
    }
    assert broken == {"LoopBody.age_s", "LoopBody.stalled_after_s"}
