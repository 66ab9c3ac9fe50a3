"""Probes against real servers, hostile ones, firewalls and noise."""
