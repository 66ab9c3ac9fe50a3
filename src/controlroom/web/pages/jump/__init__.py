"""The jump box."""
