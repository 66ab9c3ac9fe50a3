"""The settings: what each is, where its value came from, and changing those that may change at run time."""
