"""Publishing a bot by dropping its zip, with the check's findings shown first."""
