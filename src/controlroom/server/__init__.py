"""Assembles a node: the app, its lifespan, connections to runners, health and metrics."""
