"""Shows an attempt on a terminal as it goes: its log lines by level, its steps, its end."""

from datetime import datetime

import msgspec

from controlroom.cli.output import err, out
from controlroom.protocol.messages import Ended, Log, Outcome, Preparing, Progress, ReportBody, Started
from controlroom.protocol.records import Level, LogRecord

_STYLES = {Level.DEBUG: "dim", Level.WARNING: "yellow", Level.ERROR: "red"}


class AttemptConsole:
    """Writes log lines to standard output and what the runner says to standard error; ``quiet`` writes nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def show(self, body: ReportBody) -> None:
        """Show one report; those that say nothing to a person are passed over."""
        if self._quiet:
            return
        match body:
            case Log(records=records):
                for record in records:
                    out.print(_line(record), markup=False, style=_STYLES.get(record.level))
            case Preparing(step=step):
                err.print(f"{step}.", markup=False)
            case Started(note=note) if note:
                err.print(note, markup=False)
            case Progress(fraction=fraction, message=message):
                share = "" if fraction is None else f"{fraction:.0%} "
                err.print(f"{share}{message}".rstrip(), markup=False)
            case Ended(outcome=outcome, message=message):
                style = "green" if outcome is Outcome.SUCCEEDED else "red"
                err.print(f"{outcome.value}. {message}".rstrip(), markup=False, style=style)
            case _:
                pass


def _line(record: LogRecord) -> str:
    clock = datetime.fromtimestamp(record.time).astimezone().strftime("%H:%M:%S.%f")[:-3]
    fields = "".join(
        f" {name}={msgspec.msgpack.decode(value)!r}" for name, value in (record.fields or {}).items()
    )
    return f"{clock} {record.text}{fields}"
