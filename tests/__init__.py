"""The tests, as a package: a helper is one module, whoever imports it."""
