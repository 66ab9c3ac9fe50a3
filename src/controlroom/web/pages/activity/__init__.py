"""All runs, live."""
