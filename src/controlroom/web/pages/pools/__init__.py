"""The list of device pools."""
