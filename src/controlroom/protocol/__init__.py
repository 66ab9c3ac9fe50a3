"""What Control Room and Bot Runner say to each other: typed, versioned, and all that the two share.

`messages` holds the messages, `plan` what an attempt is to do, `records` the log's form, `wire` their encoding.
"""

PROTOCOL_VERSION = 3
"""Raised when a message is added or changes its meaning. 2 added `messages.UsageSample`, 3 `plan.PlannedFile`."""
FILES_PROTOCOL_VERSION = 3
"""The first whose runners fetch the files of a run; an older one would hand a bot the id of a file for its path."""
OLDEST_PROTOCOL_VERSION = 1
"""The oldest runner that a server takes: all it can say is still understood. Upgrade the server before its runners."""
