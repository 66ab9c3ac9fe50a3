"""A bot sees the same whether it was started warm, cold, or by Python itself."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from controlroom.protocol.plan import Launch, LaunchKind
from runner.execution.harness import Lab, cold, command

LAUNCH = Launch(LaunchKind.SCRIPT, "jobs/go.py", arguments=("--x", "1"), folder="jobs")

FACTS = """
import json, os, signal, sys, threading
facts = {
    "argv": [os.path.basename(sys.argv[0]), *sys.argv[1:]],
    "file": os.path.basename(__file__), "name": __name__, "cached": __cached__, "package": __package__, "spec": __spec__,
    "doc": __doc__, "builtins": type(__builtins__).__name__, "annotations": "__annotations__" in globals(),
    "globals": sorted(name for name in globals() if name not in ("json", "os", "signal", "sys", "threading", "facts")),
    "cwd": os.path.basename(os.getcwd()), "path0": os.path.basename(sys.path[0]), "paths": len(sys.path),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "executable": os.path.basename(sys.executable), "prefix": sys.prefix != sys.base_prefix,
    "flags": list(sys.flags),
    "streams": [(s.name, s.mode, s.encoding, s.fileno(), s.isatty(), s.closed) for s in (sys.stdin, sys.stdout, sys.stderr)],
    "stdin": sys.stdin.read(), "same": sys.stdout is sys.__stdout__,
    "threads": [t.name for t in threading.enumerate()],
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP)],
    "mask": sorted(int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "session": os.getsid(0) == os.getpid(), "group": os.getpgrp() == os.getpid(),
    "descriptors": len(os.listdir("/proc/self/fd")),
    "recursion": sys.getrecursionlimit(), "umask": os.umask(0o22),
    "excepthook": sys.excepthook is sys.__excepthook__, "gc": __import__("gc").isenabled(),
}
print(json.dumps(facts))
"""

ENDS = {
    "exit_number": ("import sys; sys.exit(7)", 7),
    "exit_text": ("import sys; sys.exit('the reason')", 1),
    "exit_none": ("import sys; sys.exit()", 0),
    "hard_exit": ("import os; os._exit(9)", 9),
    "interrupt": ("raise KeyboardInterrupt", 130),
    "syntax": ("def broken(:", 1),
    "chained": (
        "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise RuntimeError('second') from error",
        1,
    ),
    "group": ("raise ExceptionGroup('several', [ValueError('a'), TypeError('b')])", 1),
    "own_error": ("class Odd(Exception): pass\nraise Odd('x')", 1),
    "unprintable": ("class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd", 1),
    "own_hook": ("import sys\nsys.excepthook = lambda *args: print('hooked', args[0].__name__)\n1 / 0", 1),
    "deep": ("def f(): f()\nf()", 1),
    "killed": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
    "aborted": ("import os; os.abort()", -6),
}

AFTER = """
import atexit, threading, time, sys
atexit.register(lambda: print("at exit"))
event = threading.Event()
def work():
    event.wait(10)
    print("thread done")
thread = threading.Thread(target=work)
thread.start()
threading.Timer(0.05, event.set).start()
sys.stdout.write("no newline, not flushed")
print("", file=sys.stderr, end="")
"""

MULTIPROCESSING = """
import concurrent.futures, multiprocessing, sys
def double(value):
    return value * 2
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            print(method, list(pool.map(double, range(4))))
"""


LEFT_OPEN = (
    """
import left
class Loud:
    def __init__(self, name): self.name = name
    def __del__(self): print("gone", self.name, flush=True)
inside = Loud("global")
cycle = Loud("cycle")
cycle.itself = cycle
unclosed = open("unclosed.txt", "w")
unclosed.write("written")
""",
    """
import atexit
atexit.register(lambda: print("function of a module", unclosed.name))
unclosed = open("of-module.txt", "w")
unclosed.write("written too")
""",
)

ODD_ENDS = {
    "c_buffer": "import ctypes\nctypes.CDLL(None).printf(b'from C')",
    "broken_exit_function": "import atexit\natexit.register(lambda: 1 / 0)\nprint('done')",
    "exit_in_exit_function": "import atexit, sys\natexit.register(lambda: sys.exit(3))",
    "large_code": "import sys\nsys.exit(256 + 5)",
    "negative_code": "import sys\nsys.exit(-1)",
    "true": "import sys\nsys.exit(True)",
    "own_stream": "import io, sys\nsys.stdout = io.StringIO()\nprint('nowhere')\nsys.__stdout__.write('there')",
    "closed_stream": "import sys\nprint('before')\nsys.stdout.close()",
    "daemon_thread": "import threading, time\nprint('on')\n"
    "threading.Thread(target=lambda: time.sleep(60), daemon=True).start()",
    "failed_with_cycle": "class Loud:\n    def __del__(self): print('gone')\nloud = Loud()\nraise ValueError('x')",
    "main_removed": "import sys\ndel sys.modules['__main__']\nsys.modules['odd'] = None\nprint('fine')",
}


async def seen(lab: Lab, source: str) -> dict[str, tuple[list[str], list[str], int | None, str, str]]:
    """Run a script each way; return output, errors, exit code, message, error type of each."""
    results = {}
    for name, launch in (("warm", LAUNCH), ("cold", cold(LAUNCH))):
        trial = await lab.run(files={"jobs/go.py": source}, launch=launch)
        assert trial.sink.started.warm is (name == "warm")
        place = str(trial.workspace)
        ended = trial.sink.ended
        out, err = (
            [re.sub("0x[0-9a-f]+", "0x", line.replace(place, "")) for line in lines]
            for lines in (trial.sink.out, trial.sink.err)
        )
        results[name] = (out, err, ended.exit_code, ended.message, ended.error_type)
    return results


async def test_facts_are_the_same(lab: Lab) -> None:
    results = await seen(lab, FACTS)
    plain = await lab.run(
        files={"jobs/go.py": FACTS}, launch=command("{python}", "go.py", "--x", "1", folder="jobs")
    )
    warm, cold_, python = (
        json.loads(lines[0]) for lines in (results["warm"][0], results["cold"][0], plain.sink.out)
    )

    assert warm == cold_
    # Python itself shows lines differently when unbuffered, and knows the file by a relative name.
    assert {**python, "streams": None} == {**warm, "streams": None}


@pytest.mark.parametrize("name", ENDS)
async def test_ends_are_the_same(lab: Lab, name: str) -> None:
    source, exit_code = ENDS[name]

    results = await seen(lab, source)

    assert results["warm"] == results["cold"]
    assert results["warm"][2] == exit_code
    if name not in {"interrupt", "deep", "group"}:
        plain = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
        assert plain.returncode == exit_code
        assert [line for line in results["warm"][1] if not line.startswith(" ")][
            -1:
        ] == plain.stderr.splitlines()[-1:]


@pytest.mark.parametrize("source", [AFTER, MULTIPROCESSING], ids=["after", "multiprocessing"])
async def test_interpreter_ends_as_always(lab: Lab, source: str) -> None:
    results = await seen(lab, source)

    assert results["warm"] == results["cold"]
    assert results["warm"][1] == []
    expected: dict[str, Any] = {
        AFTER: ["no newline, not flushedthread done", "at exit"],
        MULTIPROCESSING: [f"{method} [0, 2, 4, 6]" for method in ("fork", "spawn", "forkserver")],
    }
    assert results["warm"][0] == expected[source]


async def test_what_a_bot_left_open_is_closed_at_its_end(lab: Lab) -> None:
    main, module = LEFT_OPEN
    files = {"jobs/go.py": main, "jobs/left.py": module}
    written = {}

    for name, launch in (("warm", LAUNCH), ("cold", cold(LAUNCH))):
        trial = await lab.run(files=files, launch=launch)
        folder = trial.workspace / "package/jobs"
        written[name] = [(folder / file).read_text() for file in ("unclosed.txt", "of-module.txt")]
        assert trial.sink.started.warm is (name == "warm")
        assert trial.sink.ended.exit_code == 0
        assert trial.sink.out[0] == "function of a module of-module.txt"
        assert {"gone global", "gone cycle"} <= set(trial.sink.out)

    assert written == {"warm": ["written", "written too"], "cold": ["written", "written too"]}


@pytest.mark.parametrize("name", ODD_ENDS)
async def test_odd_ends_are_the_same(lab: Lab, name: str) -> None:
    results = await seen(lab, ODD_ENDS[name])

    assert results["warm"] == results["cold"]


async def test_each_bot_has_random_numbers_and_modules_of_its_own(lab: Lab) -> None:
    source = (
        "import random, sys, json\nprint(random.random())\njson.spoiled = True\nsys.modules['spoiled'] = json"
    )
    check = "import sys, json\nprint(hasattr(json, 'spoiled'), 'spoiled' in sys.modules)"

    first, second, third = await lab.run(source), await lab.run(source), await lab.run(check)

    assert first.sink.out != second.sink.out
    assert third.sink.out == ["False False"]
    assert third.sink.started.warm


async def test_variable_that_needs_a_new_interpreter_gets_one(lab: Lab) -> None:
    launch = Launch(LaunchKind.SCRIPT, "main.py", variables={"PYTHONHASHSEED": "0"})

    trial = await lab.run("import sys; print(sys.flags.hash_randomization)", launch=launch)

    assert trial.sink.out == ["0"]
    assert trial.sink.started.note == "The variable PYTHONHASHSEED takes effect only in a new interpreter."
