"""The gateway of the 1688 open platform over the same world: one order, one truth, one ledger, told in other words."""
