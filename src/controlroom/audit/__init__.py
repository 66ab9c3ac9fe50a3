"""The audit log: who did what to what, when, from where, and whether it worked; each entry chained to the one before.

`service.record` adds an entry to a transaction, `service.verify` proves the chain, `service.AuditService` serves the
rest. `docs/explanation/identity-and-audit.md` says what the chain and its seal can and cannot show.
"""
