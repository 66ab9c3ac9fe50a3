"""What an administrator looks after besides people: settings, the health of each component, what is installed."""
