"""Control Room: the open, self-hosted control room for software robots."""

__version__ = "0.1.0"
