"""All API keys."""
