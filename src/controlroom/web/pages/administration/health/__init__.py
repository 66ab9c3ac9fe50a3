"""How each component is, and what to do."""
