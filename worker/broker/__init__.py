"""Topics, the event envelope, and the way into and out of Kafka."""
