"""The spool: what an attempt has to say, on disk until the Control Room has it.

`frames` is the form of one record, `journal` the bounded append-only files of one attempt, `folding` what gives way
when they are full, `spool` the numbered reports on top. A spool outlives its process at any moment: whatever
`Spool.append` returned for is there after a SIGKILL, and ends and starts are there after a power cut.
"""

from controlroom.runner.spool.spool import Entry, Spool

__all__ = ["Entry", "Spool"]
