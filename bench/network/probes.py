"""Measures 1,000 probes of every protocol over the loopback interface, and `nmap -sV` beside them on some of the same.

Run: .venv/bin/python bench/network/probes.py
The listeners are the stand-ins of `check --listen`, in a process of their own; README.md beside it keeps the figures.
"""

import asyncio
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter

from controlroom.network.catalogue import Transport
from controlroom.network.checks import Expectation, Listening, Pace, Question, listen, run_questions
from controlroom.network.probes import Limits, Target, probes

PROBES = 1000
FIRST_PORT = 20_000
ROUNDS = 3
NMAP_SECONDS = 240


def plan() -> list[Listening]:
    """Return 1,000 listeners: all the protocols over again, each with an address of its own."""
    kinds = [one for one in probes().values() if one.proves]
    return [
        Listening(
            kinds[number % len(kinds)].name,
            kinds[number % len(kinds)],
            f"127.78.0.{number // len(kinds) + 1}",
            FIRST_PORT + number % len(kinds),
        )
        for number in range(PROBES)
    ]


async def stand() -> None:
    """Answer until standard input ends."""
    async with listen(plan(), lambda *_: None) as taken:
        print(f"ready {len(taken)}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


def questions() -> list[Question]:
    """Return one question a listener."""
    return [
        Question(one.flow, "", Expectation.OPEN, one.probe, Target(one.address, one.port), one.address)
        for one in plan()
    ]


def measure(name: str, asked: list[Question], limits: Limits) -> None:
    """Ask everything some times and print the best and the worst time."""
    seconds = []
    used = time.process_time()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        outcomes = asyncio.run(run_questions(asked, limits, Pace(100_000, 256)))
        seconds.append(time.perf_counter() - begun)
    verdicts = ", ".join(
        f"{count} {verdict}" for verdict, count in Counter(one.verdict for one in outcomes).items()
    )
    spent = (time.process_time() - used) / ROUNDS
    print(f"| {name} | {min(seconds):.2f} - {max(seconds):.2f} | {spent:.2f} | {verdicts} |", flush=True)


def beside_nmap() -> None:
    """Time nmap on the protocols of one address, and our own probes on the same."""
    ones = [one for one in plan() if one.address == "127.78.0.1" and one.probe.transport is Transport.TCP]
    program = shutil.which("nmap")
    if program is None:
        print("nmap is not installed: apt-get install nmap")
        return
    ports = ",".join(str(one.port) for one in ones)
    begun = time.perf_counter()
    try:
        done = subprocess.run(
            [program, "-sV", "-Pn", "-n", "-p", ports, "127.78.0.1"],
            check=True,
            capture_output=True,
            text=True,
            timeout=NMAP_SECONDS,
        )
    except subprocess.TimeoutExpired:
        print(f"| nmap -sV of {len(ones)} protocols | more than {NMAP_SECONDS} | | given up |")
        return
    seconds = time.perf_counter() - begun
    lines = [line for line in done.stdout.splitlines() if "/tcp" in line]
    unsure = sum("?" in line or "unknown" in line for line in lines)
    print(
        f"| nmap -sV of {len(ones)} protocols | {seconds:.1f} | | {unsure} of {len(lines)} not recognised |"
    )
    same = [
        one for one in questions() if one.target.host == "127.78.0.1" and one.probe.transport is Transport.TCP
    ]
    measure(f"our probes of the same {len(same)}", same, Limits())


def main() -> None:
    """Measure and print a table."""
    print("| what | clock, s | processor, s | found |\n| --- | --- | --- | --- |")
    with subprocess.Popen(
        [sys.executable, __file__, "stand"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as standing:
        assert standing.stdout is not None
        assert standing.stdin is not None
        standing.stdout.readline()
        measure(f"{PROBES} probes, all answered", questions(), Limits(connect_seconds=10, answer_seconds=10))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        beside_nmap()
        standing.stdin.close()
    measure(f"{PROBES} probes, all refused", questions(), Limits())
    print(f"\nPeak memory of the probing process: {memory} MB")


if __name__ == "__main__":
    if sys.argv[1:] == ["stand"]:
        asyncio.run(stand())
    else:
        main()
