"""Receivers and a picture that belong to nobody: what previews and sandboxes are asked with."""

from __future__ import annotations

from typing import Final

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
