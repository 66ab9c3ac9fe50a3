"""What Control Room and Bot Runner say to each other: typed, versioned, and all that the two share.

`messages` holds the messages, `plan` what an attempt is to do, `records` the log's form, `wire` their encoding.
"""

PROTOCOL_VERSION = 1
"""Raised when a message changes its meaning; a server speaks the versions it lists in its welcome."""
