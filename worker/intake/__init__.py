"""Everything that brings facts in: callbacks, pollers, the spool."""
