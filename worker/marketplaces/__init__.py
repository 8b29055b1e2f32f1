"""The marketplaces' APIs: one folder per dialect, each mapping what it is told to the facts of the domain."""
