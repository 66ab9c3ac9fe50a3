"""The page of rendered firewall rules."""
