"""The list of devices, and joining a new one."""
