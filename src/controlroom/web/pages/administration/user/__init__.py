"""One user: what they may do and where, their sessions, keys and second factors."""
