"""The list of bots."""
