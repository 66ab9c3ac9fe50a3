"""Shows a trial line by line as it goes: time, level, text; steps and outputs between them."""

import time
from datetime import datetime

import msgspec
from rich.console import Console
from rich.text import Text

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
    Started,
)
from controlroom.protocol.records import Level, LogRecord, Stream

_LEVELS = {
    Level.DEBUG: ("debug", "dim"),
    Level.INFO: ("info", "cyan"),
    Level.WARNING: ("warn", "yellow"),
    Level.ERROR: ("error", "bold red"),
}
_LONGEST_VALUE = 500


class TrialConsole:
    """Prints what an attempt reports; hostile control characters of a bot's output are shown, not obeyed."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, body: ReportBody) -> None:
        """Show one report."""
        match body:
            case Preparing(step=step):
                self._say(time.time(), "", Text(step, "dim"))
            case Started(time=at, environment=environment):
                self._say(at, "", Text(f"Started in environment {environment[:12]}", "dim"))
            case Log(records=records):
                for record in records:
                    self._show_record(record)
            case LogGap(lines=lines):
                self._say(
                    time.time(), "", Text(f"{lines:,} lines more than the limit were left out", "yellow")
                )
            case Progress(fraction=fraction, message=message):
                share = "" if fraction is None else f"{fraction:.0%} "
                self._say(time.time(), "", Text(f"{share}{_plain(message)}".rstrip(), "blue"))
            case Output(name=name, value=value):
                text = msgspec.json.encode(value).decode()
                cut = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
                self._say(time.time(), "", Text(f"{_plain(name)} = {_plain(cut)}", "green"))
            case ArtifactStored(name=name, size_bytes=size):
                self._say(time.time(), "", Text(f"kept {_plain(name)} ({size:,} bytes)", "green"))
            case Ended():
                self._show_end(body)
            case _:
                return

    def _show_record(self, record: LogRecord) -> None:
        word, style = _LEVELS[record.level]
        text = Text()
        text.append(_plain(record.text), "dim" if record.stream is Stream.SYSTEM else "")
        for name, raw in (record.fields or {}).items():
            text.append(f" {_plain(name)}=", "dim")
            text.append(_plain(msgspec.json.encode(msgspec.msgpack.decode(raw)).decode()))
        self._say(record.time, word if record.stream is Stream.LOG else "", text, style)

    def _show_end(self, ended: Ended) -> None:
        good = ended.outcome is Outcome.SUCCEEDED
        said = ended.outcome.value.replace("_", " ").capitalize()
        text = Text(said, "bold green" if good else "bold red")
        used = ended.usage
        text.append(
            f" after {used.wall_seconds:.1f} s; {used.cpu_seconds:.1f} s of processor time, "
            f"{used.peak_memory_bytes / 1_048_576:.0f} MB at most",
            "dim",
        )
        self._say(ended.time, "", text)
        if ended.message:
            self._console.print(Text(_plain(ended.message), "red"))

    def _say(self, at: float, word: str, text: Text, style: str = "") -> None:
        line = Text(f"{datetime.fromtimestamp(at):%H:%M:%S.%f}"[:-3], "dim")  # noqa: DTZ006  # the author's own time
        line.append(f" {word:<5} ", style)
        line.append_text(text)
        self._console.print(line)


def _plain(text: str) -> str:
    return "".join(sign if sign.isprintable() or sign == "\t" else f"\\x{ord(sign):02x}" for sign in text)
