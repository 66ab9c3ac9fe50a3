"""Cuts a byte stream into log lines: whole, bounded, decodable, with levels. Flat memory whatever the stream holds."""

import re

from controlroom.protocol.records import MAXIMUM_LINE_CHARACTERS, Level, LogRecord, Stream

_KEPT_BYTES = 4 * MAXIMUM_LINE_CHARACTERS
"""So many bytes hold that many characters of UTF-8 in any case."""
_REDRAW_SECONDS = 1.0
"""A progress line that is drawn over and over is shown this often."""
_TRACEBACK = "Traceback (most recent call last):"
_LEVEL_WORD = re.compile(r"^(?:\S+ \S+ )?\[?(DEBUG|INFO|WARNING|ERROR|CRITICAL|FATAL)\]?[: ]")
_LEVELS = {
    "DEBUG": Level.DEBUG,
    "INFO": Level.INFO,
    "WARNING": Level.WARNING,
    "ERROR": Level.ERROR,
    "CRITICAL": Level.ERROR,
    "FATAL": Level.ERROR,
}


class LineCutter:
    """Makes log records of the bytes of one stream, in order.

    A line of standard output is information. So is one of standard error, which most programs use for what is not
    their result; there a Python traceback is an error from its first to its last line, and a line that opens with a
    level word, as `logging` writes it, has that level.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._rest = b""
        self._skipped = 0
        self._redrawn_at = 0.0
        self._in_traceback = False
        self.last_error_line = ""
        """The last line of the newest traceback, such as ``ValueError: no such invoice``."""

    def feed(self, data: bytes, now: float) -> list[LogRecord]:
        """Take bytes as they came and return the lines that are complete; ``now`` is Unix time in seconds."""
        body, newline, rest = data.rpartition(b"\n")
        if not newline:
            self._keep(data)
            return self._redraw(now)
        first, more, body = body.partition(b"\n")
        lines = [self._finish(first)]
        if more:
            lines += [self._clean(line) for line in body.decode("utf-8", "replace").split("\n")]
        self._keep(rest)
        return [self._record(line, now) for line in lines] + self._redraw(now)

    def close(self, now: float) -> list[LogRecord]:
        """Return the last line where it had no newline."""
        if not self._rest and not self._skipped:
            return []
        return [self._record(self._finish(b""), now)]

    def _keep(self, data: bytes) -> None:
        """Hold what is not a whole line yet, up to the bound; count the rest. Of drawings the newest two are enough."""
        drawn_at = data.rfind(b"\r", 0, -1)
        if drawn_at >= 0 and len(self._rest) + len(data) > _KEPT_BYTES:
            data = data[data.rfind(b"\r", 0, drawn_at) + 1 :]
            self._rest, self._skipped = b"", 0
        room = _KEPT_BYTES - len(self._rest)
        self._rest += data[:room]
        self._skipped += max(0, len(data) - room)

    def _finish(self, end: bytes) -> str:
        """Complete the held line with its last bytes."""
        self._keep(end)
        line = self._rest.decode("utf-8", "replace")
        skipped, self._rest, self._skipped = self._skipped, b"", 0
        return self._clean(line, skipped)

    def _redraw(self, now: float) -> list[LogRecord]:
        r"""Show the newest drawing of a line that is drawn over itself by ``\r``, and drop the ones before it."""
        if b"\r" not in self._rest[:-1]:
            return []
        drawn, self._rest = _split_redraw(self._rest)
        self._skipped = 0
        text = drawn.decode("utf-8", "replace")
        if now - self._redrawn_at < _REDRAW_SECONDS or not text.strip():
            return []
        self._redrawn_at = now
        return [self._record(self._clean(text), now)]

    def _clean(self, line: str, skipped_bytes: int = 0) -> str:
        if line.endswith("\r"):
            line = line[:-1]
        if "\r" in line:
            line = next((part for part in reversed(line.split("\r")) if part.strip()), "")
        if "\0" in line:
            line = line.replace("\0", "\ufffd")
        if skipped_bytes or len(line) > MAXIMUM_LINE_CHARACTERS:
            note = f" [cut here: the line has {len(line.encode()) + skipped_bytes:,} bytes]"
            line = line[: MAXIMUM_LINE_CHARACTERS - len(note)] + note
        return line

    def _record(self, line: str, now: float) -> LogRecord:
        level = Level.INFO if self._stream is Stream.STDOUT else self._level(line)
        return LogRecord(now, self._stream, level, line)

    def _level(self, line: str) -> Level:
        if self._in_traceback:
            if line and line[0] not in " \t":
                self._in_traceback = False
                self.last_error_line = line
            return Level.ERROR
        if line.endswith(_TRACEBACK):
            self._in_traceback = True
            return Level.ERROR
        found = _LEVEL_WORD.match(line)
        return _LEVELS[found[1]] if found else Level.INFO


def _split_redraw(rest: bytes) -> tuple[bytes, bytes]:
    r"""Return the last whole drawing and what follows it. A ``\r`` at the very end may yet be a ``\r\n``."""
    head, _, tail = rest[:-1].rpartition(b"\r")
    return head.rpartition(b"\r")[2], tail + rest[-1:]
