"""A runner in a process of its own, to be killed by a test: starts the bots it is told to and prints what it knows.

``python harness_runner.py STATE FOLDER`` runs two bots, one warm and one cold, that both start a daemon, and prints
one JSON line with all pids once the bots are up.
"""

import asyncio
import json
import sys
from pathlib import Path

from controlroom.foundation.telemetry import configure_logging
from controlroom.runner.execution import ExecutionServices
from runner.execution.harness import Lab, cold

BOT = """
import os, subprocess, time
child = subprocess.Popen(["sleep", "1000"])
reader, writer = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(writer, str(os.getpid()).encode())
        for number in (0, 1, 2, reader, writer):
            os.close(number)
        time.sleep(1000)
    os._exit(0)
os.wait()
print(os.getpid(), child.pid, os.read(reader, 20).decode(), os.getppid(), "up")
time.sleep(1000)
"""


async def main() -> None:
    configure_logging("warning", "text")  # to standard error, so that the JSON line stands alone
    async with ExecutionServices.open(Path(sys.argv[1]), environment_limit_mb=100, warm=True) as services:
        lab = Lab(services, Path(sys.argv[2]))
        trials = [lab.trial(BOT), lab.trial(BOT, launch=cold())]
        tasks = [asyncio.create_task(trial.run()) for trial in trials]
        for trial in trials:
            await trial.sink.until_line("up")
        pids = [[int(word) for word in trial.sink.out[0].split()[:4]] for trial in trials]
        print(
            json.dumps({"pids": pids, "workspaces": [str(trial.workspace) for trial in trials]}), flush=True
        )
        await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main())
