"""The audit log: who did what to what, when, from where, and whether it worked; each entry chained to the one before.

`service.record` adds an entry to a transaction, `service.verify` proves the chain.
"""
