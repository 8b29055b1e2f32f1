"""The effects, one module each: how it is judged on fresh data, and the one call that carries it out."""
