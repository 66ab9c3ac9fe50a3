"""What a bot prints arrives whole, in order, bounded, and at the sink's pace."""

import asyncio

import psutil
import pytest

from controlroom.protocol.messages import Log, Outcome, ReportBody
from controlroom.protocol.plan import Launch
from controlroom.protocol.records import MAXIMUM_BATCH_RECORDS, MAXIMUM_LINE_CHARACTERS, Stream
from runner.execution.harness import SCRIPT, Lab, RecordingSink, cold

BOTH = pytest.mark.parametrize("launch", [SCRIPT, cold()], ids=["warm", "cold"])


@BOTH
async def test_many_lines_arrive_whole_and_in_order(lab: Lab, launch: Launch) -> None:
    trial = await lab.run("for i in range(200_000): print('line', i)", launch=launch)

    assert trial.sink.out == [f"line {number}" for number in range(200_000)]
    assert max(len(log.records) for log in trial.sink.all(Log)) <= MAXIMUM_BATCH_RECORDS


@BOTH
async def test_bytes_that_are_no_text_and_a_last_line_without_end_are_kept(lab: Lab, launch: Launch) -> None:
    trial = await lab.run(
        r"""
        import os
        os.write(1, b"caf\xc3\xa9 \xff\x00 end\r\n\n")
        os.write(1, b"no newline")
        os.write(2, "\u20ac".encode()[:1]); os.write(2, "\u20ac".encode()[1:] + b"\nlast")
        """,
        launch=launch,
    )

    assert trial.sink.out == ["café \ufffd\ufffd end", "", "no newline"]
    assert trial.sink.err == ["€", "last"]


async def test_long_line_is_cut_and_says_so(lab: Lab) -> None:
    trial = await lab.run("print('x' * 5_000_000)\nprint('after')")

    cut, after = trial.sink.out
    assert len(cut) == MAXIMUM_LINE_CHARACTERS
    assert cut.endswith("x [cut here: the line has 5,000,000 bytes]")
    assert after == "after"


async def test_both_streams_keep_their_own_order(lab: Lab) -> None:
    trial = await lab.run("import sys\nfor i in range(500):\n    print(i)\n    print(i, file=sys.stderr)")

    assert trial.sink.out == trial.sink.err == [str(number) for number in range(500)]
    times = [record.time for record in trial.sink.records(Stream.STDOUT)]
    assert times == sorted(times)


async def test_lines_are_seen_while_the_bot_runs(lab: Lab) -> None:
    trial = lab.trial("import time\nprint('early')\ntime.sleep(1000)")
    running = asyncio.create_task(trial.run())

    await trial.sink.until_line("early")

    await trial.execution.cancel(0, Outcome.CANCELLED, "")
    await running


class SlowSink(RecordingSink):
    """Takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def report(self, body: ReportBody) -> None:
        if isinstance(body, Log):
            await self.go.wait()
        await super().report(body)


async def test_sink_that_waits_holds_the_bot_back_with_flat_memory(lab: Lab) -> None:
    sink = SlowSink()
    trial = lab.trial("for i in range(400_000): print('x' * 100)\nprint('end')", sink=sink)
    own = psutil.Process()
    before = own.memory_info().rss
    running = asyncio.create_task(trial.run())
    bot = await _asleep(trial.sink)

    grown = own.memory_info().rss - before
    assert bot.is_running()
    assert grown < 60_000_000, "the runner holds what it could not deliver"

    sink.go.set()
    await running
    assert len(trial.sink.out) == 400_001


async def _asleep(sink: RecordingSink) -> psutil.Process:
    """Return the bot once it waits for someone to read what it writes: its processor time stands still."""
    await sink.until(lambda seen: bool(seen.bodies))
    bot = psutil.Process(sink.bodies[0].pid)  # type: ignore[union-attr]
    used = -1.0
    while bot.cpu_times().user + bot.cpu_times().system != used or used < 0.01:
        used = bot.cpu_times().user + bot.cpu_times().system
        await asyncio.sleep(0.2)
    return bot


async def test_structured_lines_from_several_threads_stay_whole(lab: Lab) -> None:
    trial = await lab.run(
        """
        import threading
        from controlroom import bot
        def work(name):
            for i in range(500):
                bot.log.info("x" * 6000, thread=name, i=i)
        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for t in threads: t.start()
        for t in threads: t.join()
        """
    )

    assert len(trial.sink.records(Stream.LOG)) == 2000
    assert trial.sink.lines(Stream.SYSTEM) == []


async def test_rubbish_on_the_channel_is_left_out_and_said_once(lab: Lab) -> None:
    trial = await lab.run(
        r"""
        import os
        from controlroom import bot
        bot.log.info("first")
        number = int(os.environ["CONTROLROOM_CHANNEL"].split(":")[0])
        os.write(number, b'{"no": 1}\n["log"]\n\xff\xfe\n["output", "big", ' + b"9" * 400 + b"]\n")
        for _ in range(30): os.write(number, b"z" * 65536)
        os.write(number, b"\n")
        bot.log.info("last")
        """
    )

    assert trial.sink.lines(Stream.LOG) == ["first", "last"]
    assert len(trial.sink.lines(Stream.SYSTEM)) == 1
    assert trial.sink.ended.outcome is Outcome.SUCCEEDED
