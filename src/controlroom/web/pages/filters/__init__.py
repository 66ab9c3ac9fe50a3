"""Keeping a list's filter under a name, and dropping it."""
