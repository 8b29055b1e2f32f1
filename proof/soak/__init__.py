"""The soak: hours of steady load with mild faults, and whether anything grows that should not. See docs/soak.md."""
