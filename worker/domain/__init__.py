"""The pure heart: facts, the order and its merge, money, policies. Imports nothing of ours and does no I/O."""
