"""One run, told as a story."""
