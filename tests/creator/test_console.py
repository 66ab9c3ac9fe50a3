"""What an author sees of a trial."""

import io

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from controlroom.cli.authoring.console import TrialConsole
from controlroom.protocol.messages import (
    ArtifactStored,
    Ended,
    Log,
    LogGap,
    Outcome,
    Output,
    Preparing,
    Progress,
    ReportBody,
)
from controlroom.protocol.records import Level, LogRecord, Stream


def shown(*bodies: ReportBody) -> list[str]:
    """Return the lines without their time."""
    written = io.StringIO()
    console = TrialConsole(Console(file=written, soft_wrap=True, highlight=False, width=200))
    for body in bodies:
        console.show(body)
    return [line[13:].rstrip() for line in written.getvalue().splitlines()]


def test_each_kind_of_report_has_its_line() -> None:
    fields = {"order": msgspec.Raw(msgspec.msgpack.encode("PO-1")), "net": msgspec.Raw(b"\x05")}
    lines = shown(
        Preparing("Building the environment"),
        Log((LogRecord(1.0, Stream.LOG, Level.WARNING, "Amount differs", fields),)),
        Log((LogRecord(1.0, Stream.STDOUT, Level.INFO, "printed"),)),
        LogGap(1200),
        Progress(0.426, "half way"),
        Progress(None, "looking"),
        Output("total", {"net": 5}),
        ArtifactStored("report.pdf", "0" * 64, 12_000, "application/pdf"),
    )

    assert lines == [
        "      Building the environment",
        'warn  Amount differs order="PO-1" net=5',
        "      printed",
        "      1,200 lines more than the limit were left out",
        "      43% half way",
        "      looking",
        '      total = {"net":5}',
        "      kept report.pdf (12,000 bytes)",
    ]


def test_end_says_how_and_why() -> None:
    lines = shown(Ended(1.0, Outcome.TIMED_OUT, None, "It took longer than 5 s."))

    assert lines[0].startswith("      Timed out after 0.0 s")


@given(st.text())
def test_control_characters_of_a_bot_never_reach_the_terminal(text: str) -> None:
    written = io.StringIO()
    console = TrialConsole(Console(file=written, soft_wrap=True, highlight=False))
    raw = msgspec.Raw(msgspec.msgpack.encode(text))
    console.show(Log((LogRecord(1.0, Stream.STDOUT, Level.INFO, text, {"x": raw}),)))
    console.show(Progress(0.5, text))
    console.show(Output(text, text))

    assert all(sign.isprintable() or sign in "\n\t" for sign in written.getvalue())
