"""The bounded, append-only files of one attempt. Plain blocking code, for one thread at a time; `Spool` sees to that."""

import os
from bisect import bisect_right
from pathlib import Path
from typing import BinaryIO

from controlroom.runner.disk import sync_folder
from controlroom.runner.spool.folding import fold, gap
from controlroom.runner.spool.frames import Frame, Kind, header
from controlroom.runner.spool.segments import Segment, load, load_from, new_segment, recover, rewrite

_SEGMENTS_IN_LIMIT = 16
_SMALLEST_SEGMENT_BYTES = 16 * 1024


class Journal:
    """Frames in the order of their numbers, on disk, within a limit of bytes.

    Room is made a whole segment at a time, oldest first: acknowledged segments are removed, and where the limit is
    reached all that may give way in the oldest segment does. Reports of state never give way; were they alone larger
    than the limit, the limit is passed. Nor does what was read for sending and may have arrived, lest its lines be
    counted twice; the window of the outbox bounds that.
    """

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(_SMALLEST_SEGMENT_BYTES, limit_bytes // _SEGMENTS_IN_LIMIT)
        self._segments = recover(folder) or [new_segment(folder, 1)]
        self._file: BinaryIO | None = None
        self._folder_unsynced = False
        self.unsynced = False
        """Whether something was appended since the last `sync`."""
        self._sent = 0
        self.folded_through = 0
        """The newest number that this process has folded: what others remember of it no longer holds."""
        self._cursor = (0, self._segments[0].path, 0)
        """A number, the segment that holds it, and its offset there: where the last read ended."""

    @property
    def first(self) -> int:
        """The oldest number on disk, or the first to come where there is none."""
        return self._segments[0].first

    @property
    def last(self) -> int:
        """The newest number, 0 where there is none."""
        return self._segments[-1].last

    @property
    def ended(self) -> bool:
        """Whether the attempt's last report is among the frames."""
        return any(segment.ended for segment in self._segments)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(segment.size for segment in self._segments)

    def append(self, frame: Frame, *, sync: bool) -> None:
        """Add the next frame; with ``sync`` it is on the disk itself when this returns.

        Raises `OSError` where the disk does not take it; the journal is then as it was.
        """
        segment = self._segments[-1]
        if segment.size and segment.size + frame.size > self._segment_bytes:
            segment = self._begin_segment(frame.number)
        self._write(segment, frame)
        segment.last = frame.last
        segment.size += frame.size
        segment.ended = segment.ended or frame.kind is Kind.ENDED
        self.unsynced = True
        if sync:
            self.sync()
        if self.size > self._limit_bytes:
            self._make_room()

    def sync(self) -> None:
        """Bring what was appended to the disk itself."""
        if self._file is None or not self.unsynced:
            return
        os.fsync(self._file.fileno())
        self.unsynced = False
        if self._folder_unsynced:
            sync_folder(self._folder)
            self._folder_unsynced = False

    def read(self, number: int, limit_bytes: int) -> list[Frame]:
        """Return frames from a number on, at least one where there is one, of about the limit together.

        Numbers that are gone from the disk come back as a gap. What is returned counts as sent.
        """
        found = self._read(number, limit_bytes)
        if found:
            self.mark_sent(found[-1].last)
        return found

    def mark_sent(self, number: int) -> None:
        """Leave the frames up to a number as they are from now on: the Control Room may have them."""
        self._sent = max(self._sent, number)

    def _read(self, number: int, limit_bytes: int) -> list[Frame]:
        if number > self.last:
            return []
        if number < self._segments[0].first:
            return [gap(number, self._segments[0].first - 1)]
        index = bisect_right(self._segments, number, key=lambda segment: segment.first) - 1
        segment = self._segments[index]
        known = self._cursor[0] == number and self._cursor[1] == segment.path
        at, offset = (number, self._cursor[2]) if known else (segment.first, 0)
        found: list[Frame] = []
        room = limit_bytes
        for frame in load_from(segment, at, offset):
            if frame.last >= number:
                if found and frame.size > room:
                    break
                room -= frame.size
                found.append(
                    frame if frame.number >= number else gap(number, frame.last, frame.lines, frame.times)
                )
            offset += frame.size
        self._cursor = (found[-1].last + 1, segment.path, offset)
        return found

    def has_segments_through(self, number: int) -> bool:
        """Say whether `drop_through` would find a segment to remove; reads no disk."""
        return len(self._segments) > 1 and self._segments[0].last <= number

    def drop_through(self, number: int) -> None:
        """Remove segments that the Control Room has wholly; the newest stays and carries the numbering on."""
        self.mark_sent(number)
        while len(self._segments) > 1 and self._segments[0].last <= number:
            if len(self._segments) == 2 and not self._segments[1].size:
                return  # its file may not be on disk yet, and the numbering lives in the files
            self._segments[0].path.unlink(missing_ok=True)
            del self._segments[0]

    def skip_to(self, number: int) -> None:
        """Go on behind a number that is ahead of this journal; all that it holds is given up."""
        behind, self._segments[:] = self._segments[:], []
        self._close_file()
        fresh = new_segment(self._folder, number + 1)
        fresh.path.touch()
        sync_folder(self._folder)
        self._segments.append(fresh)
        for segment in behind:
            segment.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; a later append opens it again."""
        self._close_file()

    def _begin_segment(self, first: int) -> Segment:
        self._close_file()
        segment = new_segment(self._folder, first)
        self._segments.append(segment)
        return segment

    def _write(self, segment: Segment, frame: Frame) -> None:
        if self._file is None:
            self._file = segment.path.open("ab", buffering=0)
            self._folder_unsynced = True
        try:
            _write_all(self._file, header(frame))
            _write_all(self._file, frame.payload)
        except OSError:
            self._file.truncate(segment.size)
            raise

    def _close_file(self) -> None:
        if self._file is not None:
            self.sync()
            self._file.close()
            self._file = None

    def _make_room(self) -> None:
        index = 0
        while index < len(self._segments) - 1 and self.size > self._limit_bytes:
            if self._segments[index].folded or self._segments[index].first <= self._sent:
                index += 1
            else:
                index = self._fold_segment(index) + 1

    def _fold_segment(self, index: int) -> int:
        """Fold one segment, into the folded one before it where both fit in one; return where it is now."""
        self._cursor = (0, self._segments[0].path, 0)
        segment = self._segments[index]
        frames = fold(load(segment))
        before = self._segments[index - 1] if index else None
        self.folded_through = segment.last
        if before is not None and before.folded and before.first > self._sent:
            joined = fold([*load(before), *frames])
            if sum(frame.size for frame in joined) <= self._segment_bytes:
                rewrite(before, joined)
                segment.path.unlink(missing_ok=True)
                del self._segments[index]
                return index - 1
        rewrite(segment, frames)
        segment.folded = True
        return index


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
