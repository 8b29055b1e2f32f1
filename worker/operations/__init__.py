"""What people and programs see: alerts, metrics, health and the read API."""
