"""The audit log: its list, and how its chain stands."""
