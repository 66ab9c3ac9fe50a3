"""Reads what a bot says through the SDK: JSON lines from the channel (see `controlroom.bot`)."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from controlroom.protocol.messages import Output, Progress
from controlroom.protocol.records import MAXIMUM_LINE_CHARACTERS, Level, LogRecord, Stream
from controlroom.runner.execution.reports import Reporter

_LONGEST_LINE_BYTES = 1024 * 1024
_LARGEST_OUTPUT_BYTES = 1024 * 1024
_LONGEST_NAME = 200
_CUT_NOTE = " [cut here]"
_LEVELS = {int(level): level for level in Level}


class _Said(msgspec.Struct, array_like=True, frozen=True, gc=False):
    pass


class _Log(_Said, tag="log", frozen=True, gc=False):
    level: int
    time: float
    text: str
    fields: dict[str, Any] | None = None


class _Output(_Said, tag="output", frozen=True, gc=False):
    name: str
    value: Any


class _Progress(_Said, tag="progress", frozen=True, gc=False):
    fraction: float | None
    message: str = ""


class _Artifact(_Said, tag="artifact", frozen=True, gc=False):
    path: str
    name: str


class _Error(_Said, tag="error", frozen=True, gc=False):
    kind: str
    text: str


@dataclass(slots=True)
class SaidError:
    """The uncaught error of a bot, as its launcher told it."""

    kind: str
    text: str


class ChannelReader:
    """Turns the channel's bytes into reports. What is not understood is dropped, and said once."""

    def __init__(self, reporter: Reporter, on_artifact: Callable[[str, str], None]) -> None:
        self._reporter = reporter
        self._on_artifact = on_artifact
        self._decoder = msgspec.json.Decoder(_Log | _Output | _Progress | _Artifact | _Error)
        self._rest = b""
        self._overlong = False
        self._complained = False
        self.error: SaidError | None = None

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes as they came; ``now`` is Unix time in seconds."""
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            if self._overlong:
                self._overlong = False
            elif line:
                self._take(line, now)
        self._rest = rest
        if len(rest) > _LONGEST_LINE_BYTES:
            self._rest, self._overlong = b"", True
            self._complain("a message of more than 1 MB", now)

    def _take(self, line: bytes, now: float) -> None:
        try:
            said = self._decoder.decode(line)
            match said:
                case _Log():
                    self._reporter.add_records([_record(said, now)])
                case _Output():
                    self._output(said, now)
                case _Progress():
                    fraction = said.fraction
                    if fraction is not None:
                        fraction = min(1.0, max(0.0, fraction)) if math.isfinite(fraction) else None
                    self._reporter.add(Progress(fraction, _cut(said.message)))
                case _Artifact():
                    self._on_artifact(said.path, said.name)
                case _Error():
                    self.error = SaidError(said.kind[:_LONGEST_NAME], _cut(said.text))
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            self._complain("a message that is not understood", now)

    def _output(self, said: _Output, now: float) -> None:
        if len(msgspec.msgpack.encode(said.value)) > _LARGEST_OUTPUT_BYTES:
            self._complain(f"an output {said.name[:_LONGEST_NAME]!r} of more than 1 MB", now)
            return
        self._reporter.add(Output(said.name[:_LONGEST_NAME], said.value))

    def _complain(self, what: str, now: float) -> None:
        if not self._complained:
            self._complained = True
            self._reporter.say(f"The bot sent {what}; it was left out.", now, Level.WARNING)


def _record(said: _Log, now: float) -> LogRecord:
    fields = (
        {name[:_LONGEST_NAME]: _raw(value) for name, value in said.fields.items()} if said.fields else None
    )
    moment = said.time if math.isfinite(said.time) and said.time > 0 else now
    return LogRecord(moment, Stream.LOG, _LEVELS.get(said.level, Level.INFO), _cut(said.text), fields)


def _raw(value: Any) -> msgspec.Raw:
    try:
        return msgspec.Raw(msgspec.msgpack.encode(value))
    except (OverflowError, ValueError, TypeError):
        return msgspec.Raw(msgspec.msgpack.encode(str(value)))


def _cut(text: str) -> str:
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if len(text) > MAXIMUM_LINE_CHARACTERS:
        return text[: MAXIMUM_LINE_CHARACTERS - len(_CUT_NOTE)] + _CUT_NOTE
    return text
