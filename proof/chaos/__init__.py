"""Chaos on real parts: a seeded schedule of faults under load, and then a judgement of everything that happened."""
