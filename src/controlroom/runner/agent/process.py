"""The agent as a process: one to a state folder, ended by signals."""

import asyncio
import signal
import sys
from collections.abc import Callable

from controlroom.foundation.telemetry import logger
from controlroom.runner.agent.agent import Agent
from controlroom.runner.agent.execution import local_executor
from controlroom.runner.identity import Identity, hold_state_folder
from controlroom.runner.settings import RunnerSettings

_log = logger("runner.process")


def run_agent(identity: Identity, settings: RunnerSettings) -> None:
    """Run a runner until it is told to stop.

    The first SIGTERM or SIGINT ends it cleanly, a second one at once. Raises `AlreadyRunning` where another process has
    the state folder.
    """
    with hold_state_folder(settings.state):
        asyncio.run(_run(identity, settings))


async def _run(identity: Identity, settings: RunnerSettings) -> None:
    async with local_executor(settings, identity.url) as executor:
        agent = Agent(identity, settings, executor)
        stop_on_signals(agent)
        _log.info("runner.started", device=identity.device_name, url=identity.url, slots=settings.slots)
        await agent.run()
        _log.info("runner.stopped")


def stop_on_signals(agent: Agent) -> None:
    """Let the first signal stop the agent and a second one hurry it."""
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            agent.stop_at_once()
        else:
            asked = True
            _log.info("runner.stopping")
            agent.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        _on_signal(number, stop)


def _on_signal(number: signal.Signals, act: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform == "win32":  # the event loop of Windows takes no signal handlers
        signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(act) and None)
    else:
        loop.add_signal_handler(number, act)
