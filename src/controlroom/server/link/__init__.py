"""Connections to runners: the WebSocket, the long poll, and what keeps the two in step with the database."""
