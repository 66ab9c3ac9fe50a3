"""What a bot says to whoever runs it: inputs, outputs, progress, artifacts, a structured log, and whether to stop.

``from controlroom import bot`` works everywhere. Inside a Bot Runner the words go to the Control Room; anywhere else
they are printed as readable lines, and inputs come from the file that ``CONTROLROOM_INPUTS`` names, or are empty. The
package needs nothing but Python's standard library, 3.9 or later.
"""

from controlroom.bot._artifacts import artifact
from controlroom.bot._cancel import Cancelled, cancelled, listen
from controlroom.bot._facts import RunFacts
from controlroom.bot._inputs import InputMissing, Inputs
from controlroom.bot._log import Log
from controlroom.bot._results import Failed, Outputs, fail, progress

inputs = Inputs()
"""The inputs of this run, a read-only mapping."""

outputs = Outputs()
"""The outputs that were set so far; ``outputs["total"] = 3`` sets one."""

output = outputs.set
"""Set one output: ``output("total", 3)``. The last value counts."""

log = Log()
"""The structured log: ``log.info("Invoice booked", number=4711)``."""

run = RunFacts()
"""What this run is: its ids, the attempt's number, whether a runner is there at all."""

__all__ = [
    "Cancelled",
    "Failed",
    "InputMissing",
    "artifact",
    "cancelled",
    "fail",
    "inputs",
    "log",
    "output",
    "outputs",
    "progress",
    "run",
]

if run.inside_runner:
    listen()
