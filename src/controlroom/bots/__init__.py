"""Bots, their packages and versions. `formats/` reads packages, one file a format; `packages` keeps zips safe."""
