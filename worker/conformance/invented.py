"""Receivers and a picture that belong to nobody: what previews and sandboxes are asked with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from worker.catalogue.operation import Kind

ADDRESS: Final = {
    "fullName": "conformance",
    "mobile": "13800000000",
    "phone": "0571-88888888",
    "postCode": "310052",
    "provinceText": "浙江省",
    "cityText": "杭州市",
    "areaText": "滨江区",
    "townText": "长河街道",
    "address": "网商路699号",
    "districtCode": "330108",
}
"""A public building in Hangzhou: a preview needs an address that exists."""
RECEIVER: Final = {
    "name": "conformance",
    "country": "中国",
    "state": "浙江省",
    "city": "杭州市",
    "district": "滨江区",
    "address": "网商路699号",
    "zip": "310052",
    "phone": "0571-88888888",
    "mobile_phone": "13800000000",
}
RECEIVER_ADDRESS: Final = {
    "name": "conformance",
    "email": "nobody@example.org",
    "phone": "0000000000",
    "mobilePhone": "0000000000",
    "address": "1 Main Street",
    "taxId": "",
    "country": "US",
    "state": "NY",
    "city": "New York",
    "zip": "10001",
}
PICTURE: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""One pixel."""
INVENTED: Final[Mapping[Kind, Any]] = {
    Kind.TEXT: "conformance",
    Kind.ID_TEXT: "1",
    Kind.ID_NUMBER: 1,
    Kind.INTEGER: 1,
    Kind.DECIMAL: "1",
    Kind.BOOLEAN: False,
    Kind.FEN: 1,
    Kind.YUAN: "0.01",
    Kind.TIME: "20260101000000000+0800",
    Kind.OBJECT: {},
    Kind.LIST: [],
    Kind.JSON_TEXT: "{}",
    Kind.BASE64: PICTURE,
}
"""Values of each kind that nobody gave out."""
