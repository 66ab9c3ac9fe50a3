"""The administration: people and rights, sessions and keys, settings, health; one folder a page."""
