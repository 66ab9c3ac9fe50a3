"""One bot, its versions and its latest runs."""
