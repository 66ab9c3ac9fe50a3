"""Audit entries handed to a log collector: syslog (RFC 5424) over TLS (RFC 5425), in order, from where it broke off."""
