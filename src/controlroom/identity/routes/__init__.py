"""The routes of identity, one file a subject; `identity.api` puts them together."""
