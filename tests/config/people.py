"""People with tokens, without a file."""

import hashlib

from worker.operators import Operator


def person(name: str, role: str, token: str, *more: str) -> Operator:
    """One of the operators file, resolved."""
    made = Operator.model_validate({"name": name, "roles": [role, *more], "token_sha256_env": "DIGEST"})
    assert list(made.resolve_digest({"DIGEST": hashlib.sha256(token.encode()).hexdigest()})) == []
    return made
