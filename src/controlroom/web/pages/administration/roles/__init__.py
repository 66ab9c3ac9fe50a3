"""The list of roles."""
