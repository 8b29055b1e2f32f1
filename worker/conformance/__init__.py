"""Conformance: asks an API, operation by operation, whether it is what the catalogue says, and tells what was seen."""
