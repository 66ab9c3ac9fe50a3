"""The ground floor: what every feature stands on and what knows no feature.

Settings, the database and its transaction, ids, clock, errors, paging, blobs, bus, cache and telemetry.
"""
