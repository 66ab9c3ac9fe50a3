"""The pages of what probes found."""
