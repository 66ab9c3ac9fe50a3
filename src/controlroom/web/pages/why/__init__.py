"""Why someone may do something somewhere, and why not."""
