"""The demo: everything on embedded parts, judged against the marketplace's own truth and ledger."""
