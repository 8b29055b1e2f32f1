"""Tables and all SQL. Nobody else writes a statement; whoever opens the transaction commits it."""
