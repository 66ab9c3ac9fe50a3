"""Asks the network contract in a process of its own, few at once, each within limits of time and memory."""

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from controlroom.foundation.telemetry import logger
from controlroom.sites.errors import BadSiteText, GivenUp, Refused, TooBusy

SECONDS = 40.0
AT_ONCE = 2
_MOST_WAITING = 16
_MOST_REMEMBERED = 32
_LARGEST_REMEMBERED = 2 * 1024 * 1024

_SAME_EACH_TIME = frozenset({"overview", "compare", "targets", "render"})
"""Jobs whose answer follows from the question alone, so that one answer serves all who ask."""

log = logger("sites")


class Contract:
    """The network contract, as questions with answers; raises what of them it refuses."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._remembered: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def ask(self, job: str, **question: Any) -> dict[str, Any]:
        """Return the answer to a job of `jobs`; raise `BadSiteText`, `Refused`, `GivenUp` or `TooBusy`."""
        asked = json.dumps({"job": job, **question})
        if asked in self._remembered:
            self._remembered.move_to_end(asked)
            return self._remembered[asked]
        if self._waiting >= _MOST_WAITING:
            raise TooBusy(
                "Many questions about the network are being answered; ask again.", retry_after_seconds=5
            )
        self._waiting += 1
        try:
            async with self._turns:
                output = await self._run(job, asked.encode())
        finally:
            self._waiting -= 1
        found = _read(output)
        if job in _SAME_EACH_TIME and len(output) + len(asked) <= _LARGEST_REMEMBERED:
            self._remembered[asked] = found
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return found

    async def _run(self, job: str, asked: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-m",
            "controlroom.sites.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(self._seconds):
                output, told = await process.communicate(asked)
        except TimeoutError:
            raise GivenUp(
                f"There was no answer within {self._seconds:g} s; ask about fewer hosts or a smaller ruleset."
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            log.warning(
                "sites.worker_ended",
                job=job,
                code=process.returncode,
                told=told[-2000:].decode(errors="replace"),
            )
            raise GivenUp(
                "The answer needed more time or memory than one question is given; ask about fewer hosts or a "
                "smaller ruleset, or use the command 'controlroom network' on a machine of your own."
            )
        return output


def _read(output: bytes) -> dict[str, Any]:
    answer = json.loads(output)
    if "found" in answer:
        found: Mapping[str, Any] = answer["found"]
        return dict(found)
    message = str(answer["refused"])
    # These begin with the name of a file, which stays as it is.
    if answer["kind"] not in {"BadSite", "BadRuleset"}:
        message = message[:1].upper() + message[1:]
    if answer["kind"] == "BadSite":
        raise BadSiteText(message, line=answer["line"], key=answer["key"])
    if answer["kind"] in {"TooLarge", "BudgetExceeded"}:
        raise GivenUp(message + ".")
    if answer["kind"] == "EmptyFlow":
        raise BadSiteText(message)
    raise Refused(message + ".")
