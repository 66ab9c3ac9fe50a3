"""A run's life: states, request, dispatch, leases, reports, log and artifacts.

`states` holds the one transition table; `service` is what people can ask; `dispatch`, `reports` and `sweep` move runs on.
"""
