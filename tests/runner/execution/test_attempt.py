"""Attempts with real processes, from their plan to their end."""

import json
import os

import msgspec
import pytest

from controlroom.protocol.messages import (
    ArtifactStored,
    Ended,
    Log,
    Outcome,
    Preparing,
    Progress,
    ReportBody,
    Started,
)
from controlroom.protocol.plan import EnvironmentKind, EnvironmentSpec, Launch, LaunchKind, Limits
from controlroom.protocol.records import Level, Stream
from runner.execution.harness import SCRIPT, Lab, RecordingSink, Trial, cold, command

BOTH = pytest.mark.parametrize("launch", [SCRIPT, cold()], ids=["warm", "cold"])


@BOTH
async def test_bot_speaks_through_the_sdk(lab: Lab, launch: Launch) -> None:
    trial = await lab.run(
        """
        from controlroom import bot
        bot.log.warning("Odd amount", amount=12.5, tags=["a"])
        bot.output("total", {"sum": bot.inputs["amount"] * 2})
        bot.outputs["note"] = "ok"
        bot.progress(0.5, "half way")
        print(bot.run.run_id, bot.run.attempt, bot.run.bot_name, bot.run.bot_version, bot.run.inside_runner)
        """,
        launch=launch,
        inputs={"amount": 21},
    )

    assert trial.sink.ended.outcome is Outcome.SUCCEEDED
    assert trial.sink.ended.exit_code == 0
    assert trial.sink.ended.message == ""
    assert trial.sink.started.warm is launch.warm
    assert trial.sink.out == ["run_1 1 trial 3 True"]
    assert trial.sink.outputs == {"total": {"sum": 42}, "note": "ok"}
    assert Progress(0.5, "half way") in trial.sink.bodies
    (record,) = trial.sink.records(Stream.LOG)
    assert (record.text, record.level) == ("Odd amount", Level.WARNING)
    assert {name: msgspec.msgpack.decode(value) for name, value in (record.fields or {}).items()} == {
        "amount": 12.5,
        "tags": ["a"],
    }


@BOTH
async def test_uncaught_error_names_itself_and_is_the_first_error_line(lab: Lab, launch: Launch) -> None:
    trial = await lab.run("print('before')\nraise LookupError('no invoice 4711')", launch=launch)

    ended = trial.sink.ended
    assert (ended.outcome, ended.exit_code, ended.message) == (
        Outcome.FAILED,
        1,
        "LookupError: no invoice 4711",
    )
    assert ended.error_type == "LookupError"
    errors = [record.text for record in trial.sink.records() if record.level is Level.ERROR]
    assert errors[0] == "Traceback (most recent call last):"
    assert errors[-1] == "LookupError: no invoice 4711"
    assert not any("launch.py" in line for line in errors)


@BOTH
async def test_business_failure_has_its_reason_and_no_traceback(lab: Lab, launch: Launch) -> None:
    trial = await lab.run(
        """
        from controlroom import bot
        try:
            bot.fail("The supplier is blocked")
        finally:
            print("cleaned up")
        """,
        launch=launch,
    )

    assert trial.sink.ended.message == "The supplier is blocked"
    assert trial.sink.ended.error_type == "bot.Failed"
    assert trial.sink.out == ["cleaned up"]
    assert trial.sink.err == []


async def test_command_fails_with_the_last_line_of_its_traceback(lab: Lab) -> None:
    trial = await lab.run("raise ValueError('broken')", launch=command("{python}", "main.py"))

    assert trial.sink.ended.message == "ValueError: broken"
    assert trial.sink.ended.error_type == "ValueError"
    assert trial.sink.started.note == "A command line is always started cold."


async def test_command_that_is_not_there_is_rejected_by_its_name(lab: Lab) -> None:
    trial = await lab.run(launch=command("no-such-program", "x"))

    assert trial.sink.ended.outcome is Outcome.REJECTED
    assert "'no-such-program' was not found" in trial.sink.ended.message
    assert trial.sink.all(Started) == []


async def test_signal_is_named(lab: Lab) -> None:
    trial = await lab.run("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")

    assert trial.sink.ended.exit_code == -11
    assert trial.sink.ended.message == "The bot was ended by signal SIGSEGV (11)."


async def test_function_is_called_and_a_coroutine_awaited(lab: Lab) -> None:
    files = {
        "tasks/work.py": "import sys\ndef plain():\n    print('plain', __name__, sys.path[0].endswith('package'))\n"
        "async def later():\n    print('later')\n"
    }
    plain = await lab.run(files=files, launch=Launch(LaunchKind.FUNCTION, "tasks.work:plain"))
    later = await lab.run(files=files, launch=Launch(LaunchKind.FUNCTION, "tasks.work:later", warm=False))

    assert plain.sink.out == ["plain tasks.work True"]
    assert later.sink.out == ["later"]


async def test_missing_function_is_told_like_any_error(lab: Lab) -> None:
    trial = await lab.run(files={"work.py": ""}, launch=Launch(LaunchKind.FUNCTION, "work:nothing"))

    assert trial.sink.ended.message == "AttributeError: module 'work' has no attribute 'nothing'"


async def test_artifacts_named_and_found_are_kept_once_and_links_are_not_followed(lab: Lab) -> None:
    trial = await lab.run(
        """
        import os, pathlib, tempfile
        from controlroom import bot
        kept = pathlib.Path(os.environ["CONTROLROOM_ARTIFACTS"])
        (kept / "deep").mkdir()
        (kept / "deep/page.html").write_text("<p>")
        (kept / "named.txt").write_text("named")
        bot.artifact(kept / "named.txt")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"gone soon"); file.flush()
            bot.artifact(file.name, "renamed.bin")
        os.symlink("/etc/passwd", kept / "passwd")
        os.symlink("/etc", kept / "etc")
        pathlib.Path("output").mkdir()
        pathlib.Path("output/log.xml").write_text("<x/>")
        """,
        launch=Launch(LaunchKind.SCRIPT, "main.py", artifacts_folder="output"),
    )

    assert trial.uploader.kept == {
        "deep/page.html": b"<p>",
        "named.txt": b"named",
        "renamed.bin": b"gone soon",
        "log.xml": b"<x/>",
    }
    assert trial.uploader.types["deep/page.html"] == "text/html"
    assert len(trial.sink.all(ArtifactStored)) == 4


async def test_artifacts_beyond_the_limit_fail_the_bot_and_say_so(lab: Lab) -> None:
    trial = await lab.run(
        """
        import os
        with open(os.environ["CONTROLROOM_ARTIFACTS"] + "/large", "wb") as file:
            file.truncate(3 * 1024 * 1024)
        """,
        limits=Limits(artifacts_mb=2),
    )

    assert trial.sink.ended.outcome is Outcome.FAILED
    assert "limit of 2 MB" in trial.sink.ended.message
    assert trial.uploader.kept == {}


async def test_log_lines_beyond_the_limit_are_counted(lab: Lab) -> None:
    trial = await lab.run("for i in range(100): print(i)", limits=Limits(log_lines=10))

    assert trial.sink.out == [str(number) for number in range(10)]
    assert trial.sink.lines(Stream.SYSTEM)[-1].startswith("90 further log lines were not kept")
    assert trial.sink.ended.outcome is Outcome.SUCCEEDED


async def test_bot_gets_no_variable_of_the_runner_beyond_the_list(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTROLROOM_RUNNER_KEY", "crk_secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy:3128")
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.setenv("CONTROLROOM_URL", "https://of-the-author.example")
    source = "import json, os\nprint(json.dumps(dict(os.environ)))\nprint(os.popen('env').read())"
    for launch in (SCRIPT, cold(), command("{python}", "main.py")):
        trial = await lab.run(source, launch=launch)
        assert not any("secret" in line for line in trial.sink.lines())
        variables = json.loads(trial.sink.out[0])
        assert variables["NO_PROXY"] == "localhost"
        assert "CONTROLROOM_URL" not in variables, "there is no Control Room behind this bot"
        assert len(variables["TMPDIR"]) <= 50 or variables["TMPDIR"] == str(trial.workspace / "temporary")


async def test_temporary_folder_has_a_short_name_and_goes_with_the_attempt(lab: Lab) -> None:
    deep = Lab(lab.services, lab.folder / ("deep" * 30))
    deep.folder.mkdir()

    trial = await deep.run(
        """
        import os, socket, tempfile
        print(tempfile.mkdtemp())
        print(os.environ["TMPDIR"])
        socket.socket(socket.AF_UNIX).bind(tempfile.mkdtemp() + "/listener-0123456789")
        """
    )

    assert trial.sink.err == []
    made, link = trial.sink.out
    assert (trial.workspace / "temporary" / made.rpartition("/")[2]).is_dir()
    assert not os.path.lexists(link)


async def test_variables_paths_and_folder_of_the_package_hold(lab: Lab) -> None:
    launch = Launch(
        LaunchKind.SCRIPT,
        "bots/go.py",
        arguments=("--fast", "two words"),
        folder="bots",
        python_path=("libraries",),
        path=("tools",),
        variables={"MODE": "test", "WHERE": "{package}/x", "CONTROLROOM_RUN_ID": "forged"},
    )
    files = {
        "bots/go.py": """
            import os, shutil, sys
            import helper
            print(sys.argv[1:], helper.NAME, os.environ["MODE"], os.environ["CONTROLROOM_RUN_ID"])
            print(os.path.basename(os.getcwd()), os.environ["WHERE"] == os.environ["ROBOT_ROOT"] + "/x")
            print(os.environ["PATH"].split(":")[0].endswith("package/tools"))
            """,
        "libraries/helper.py": "NAME = 'helped'",
        "tools/readme": "",
    }
    for each in (launch, cold(launch)):
        trial = await lab.run(files=files, launch=each)
        assert trial.sink.out == ["['--fast', 'two words'] helped test run_1", "bots True", "True"]


async def test_commands_before_the_bot_run_in_order_and_stop_it_when_they_fail(lab: Lab) -> None:
    fine = Launch(
        LaunchKind.SCRIPT, "main.py", pre_run=(("{python}", "-c", "print('one')"), ("sh", "-c", "echo two"))
    )
    bad = Launch(LaunchKind.SCRIPT, "main.py", pre_run=(("sh", "-c", "exit 3"),))

    good = await lab.run("print('three')", launch=fine)
    failed = await lab.run("print('never')", launch=bad)

    assert good.sink.out == ["one", "two", "three"]
    assert failed.sink.ended.outcome is Outcome.FAILED
    assert (
        failed.sink.ended.message
        == "The command 'sh -c exit 3', which comes before the bot, ended with exit code 3."
    )
    assert failed.sink.out == []
    assert failed.sink.all(Started) == []


async def test_environment_that_cannot_be_built_is_rejected_in_the_resolvers_words(lab: Lab) -> None:
    spec = EnvironmentSpec(
        EnvironmentKind.REQUIREMENTS, requirements=("no-such-thing @ file:///nowhere/no_such-1.0.whl",)
    )

    trial = await lab.run("print('never')", environment=spec)

    assert trial.sink.ended.outcome is Outcome.REJECTED
    assert "/nowhere/no_such-1.0.whl" in trial.sink.ended.message
    assert any("/nowhere/no_such-1.0.whl" in line for line in trial.sink.lines(Stream.SYSTEM))
    assert Preparing("Building the environment") in trial.sink.bodies


async def test_python_that_is_not_here_is_rejected_by_its_version(lab: Lab) -> None:
    trial = await lab.run(environment=EnvironmentSpec(EnvironmentKind.REQUIREMENTS, python="==3.99.*"))

    assert trial.sink.ended.outcome is Outcome.REJECTED
    assert "Python ==3.99.*" in trial.sink.ended.message


@pytest.mark.parametrize(
    ("files", "launch", "words"),
    [
        ({"../out.py": ""}, SCRIPT, "outside of its folder"),
        ({}, Launch(LaunchKind.SCRIPT, "missing.py"), "no file 'missing.py'"),
        ({}, Launch(LaunchKind.SCRIPT, "../../etc/passwd"), "outside of the package"),
        ({}, Launch(LaunchKind.SCRIPT, "main.py", folder="nowhere"), "no folder 'nowhere'"),
    ],
)
async def test_package_that_cannot_be_used_is_rejected(
    lab: Lab, files: dict[str, str], launch: Launch, words: str
) -> None:
    trial = await lab.run(files=files, launch=launch)

    assert trial.sink.ended.outcome is Outcome.REJECTED
    assert words in trial.sink.ended.message


async def test_use_is_measured_with_that_of_children(lab: Lab) -> None:
    burn = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    trial = await lab.run(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nx = b'x' * 60_000_000"
    )

    usage = trial.sink.ended.usage
    assert usage.cpu_seconds >= 0.2
    assert usage.wall_seconds >= 0.2
    assert usage.peak_memory_bytes > 60_000_000


class FullDisk(RecordingSink):
    """Fails with the first log."""

    async def report(self, body: ReportBody) -> None:
        if isinstance(body, Log):
            raise OSError(28, "No space left on device")
        await super().report(body)


async def test_sink_that_fails_ends_the_bot_and_is_the_only_thing_that_run_raises(lab: Lab) -> None:
    trial: Trial = lab.trial("import time\nprint('x')\nwhile True: time.sleep(60)", sink=FullDisk())

    with pytest.raises(OSError, match="No space left"):
        await trial.run()

    assert trial.sink.all(Ended) == []
