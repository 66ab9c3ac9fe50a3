"""Where the administration begins."""
