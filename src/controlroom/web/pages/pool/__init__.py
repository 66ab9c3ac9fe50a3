"""One device pool: made, edited, removed."""
