"""What leaves for other programs: the outbox's relay."""
