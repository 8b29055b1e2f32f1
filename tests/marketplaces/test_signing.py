"""The five-header signature: regression vectors of the marketplace notes (1.2), made from the formula, not official."""

import string

import pytest

from worker.marketplaces.pandapon.signing import NONCE_LENGTH, new_nonce, signature, signature_matches

KEY = "58c0201dfdf148eca63cbf6bb5e7cf03"
SECRET = "test-secret"
IN_MILLISECONDS = ("1715669977082", "nonce-str", "47CB965C3AB252BDF9ED348A90C6B66D")
IN_SECONDS = ("1715669977", "A" * 32, "3DA9229D6AB182D627590ADC0BC4D22F")


@pytest.mark.parametrize(("timestamp", "nonce", "expected"), [IN_MILLISECONDS, IN_SECONDS])
def test_the_known_vectors_come_out(timestamp: str, nonce: str, expected: str) -> None:
    assert signature(KEY, timestamp, nonce, SECRET) == expected


@pytest.mark.parametrize(
    "given",
    [
        "",
        "47CB965C3AB252BDF9ED348A90C6B66E",
        "47CB965C3AB252BDF9ED348A90C6B66D ",
        "47CB965C3AB252BDF9ED348A90C6B66D00",
        "签名",
        "\ud800",
    ],
)
def test_anything_else_does_not_match_and_does_not_fail(given: str) -> None:
    timestamp, nonce, _ = IN_MILLISECONDS
    assert not signature_matches(given, KEY, timestamp, nonce, SECRET)


def test_upper_and_lower_case_are_the_same_signature() -> None:
    timestamp, nonce, expected = IN_MILLISECONDS
    assert signature_matches(expected, KEY, timestamp, nonce, SECRET)
    assert signature_matches(expected.lower(), KEY, timestamp, nonce, SECRET)


def test_every_signed_part_counts() -> None:
    timestamp, nonce, expected = IN_MILLISECONDS
    assert not signature_matches(expected, "other", timestamp, nonce, SECRET)
    assert not signature_matches(expected, KEY, "1715669977083", nonce, SECRET)
    assert not signature_matches(expected, KEY, timestamp, "nonce", SECRET)
    assert not signature_matches(expected, KEY, timestamp, nonce, "other")


def test_a_nonce_is_32_letters_and_digits_and_never_the_same() -> None:
    nonces = {new_nonce() for _ in range(200)}
    assert len(nonces) == 200
    assert {len(nonce) for nonce in nonces} == {NONCE_LENGTH}
    assert set("".join(nonces)) <= set(string.ascii_letters + string.digits)
