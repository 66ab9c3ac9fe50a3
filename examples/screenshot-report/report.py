"""Writes the report: one HTML file that holds its pictures, and the same printed as PDF by the browser."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from string import Template

from playwright.sync_api import Browser

_TEMPLATE = Path(__file__).parent / "report.html"
_MARGINS = {"top": "14mm", "bottom": "14mm", "left": "12mm", "right": "12mm"}


@dataclass(frozen=True, slots=True)
class Shot:
    """One page as it was found; ``complaints`` is what the browser reported as errors on it."""

    title: str
    address: str
    status: int
    milliseconds: int
    complaints: tuple[str, ...]
    file: Path


def write_report(
    browser: Browser, folder: Path, url: str, shots: Sequence[Shot], made_at: datetime
) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.pdf`` into a folder and return their paths."""
    page = folder / "report.html"
    page.write_text(_filled(url, shots, made_at), encoding="utf-8")
    printed = folder / "report.pdf"
    with browser.new_context() as context:
        sheet = context.new_page()
        sheet.goto(page.resolve().as_uri())
        sheet.pdf(path=printed, format="A4", print_background=True, margin=_MARGINS)  # type: ignore[arg-type]  # a plain dict is what the library reads
    return page, printed


def _filled(url: str, shots: Sequence[Shot], made_at: datetime) -> str:
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        url=html.escape(url),
        made_at=f"{made_at:%Y-%m-%d %H:%M %Z}",
        rows="\n".join(_row(shot) for shot in shots),
        sections="\n".join(_section(shot) for shot in shots),
    )


def _row(shot: Shot) -> str:
    state = "good" if shot.status < 400 and not shot.complaints else "bad"
    cells = (shot.title, shot.address, shot.status, f"{shot.milliseconds:,} ms", len(shot.complaints))
    return f'<tr class="{state}">' + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells) + "</tr>"


def _section(shot: Shot) -> str:
    picture = base64.b64encode(shot.file.read_bytes()).decode("ascii")
    complaints = "".join(f"<li>{html.escape(text)}</li>" for text in shot.complaints)
    listed = f"<ul>{complaints}</ul>" if complaints else ""
    title = html.escape(shot.title)
    return (
        f"<section><h2>{title}</h2><p>{html.escape(shot.address)}</p>{listed}"
        f'<img alt="{title}" src="data:image/png;base64,{picture}"></section>'
    )
