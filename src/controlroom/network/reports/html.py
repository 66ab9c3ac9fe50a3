"""Writes a report as one HTML file that needs nothing else: escaped, readable in light and dark, and on paper."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root{color-scheme:light dark;--page:#fff;--text:#182024;--soft:#46545b;--line:#dde2e4;--head:#eef1f2;
--good:#166a3c;--bad:#b3232f;--unsure:#6637b5}
@media (prefers-color-scheme:dark){:root{--page:#101416;--text:#e4e9eb;--soft:#b0bbc0;--line:#2b3438;--head:#20272a;
--good:#69cf95;--bad:#ff9a98;--unsure:#c7a8ff}}
body{font:14px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:1400px;padding:0 1rem;color:var(--text);background:var(--page)}
h1{font-size:20px}h2{font-size:16px;margin-top:2rem}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
thead th{background:var(--head);color:var(--soft);white-space:nowrap}tbody th{font-weight:500;overflow-wrap:normal}
small,.note{color:var(--soft)}.good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}.unsure{color:var(--unsure);font-weight:600}
@media print{.wide{overflow:visible}}
""".strip()


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: text, a second smaller line, and a tone (``good``, ``bad`` or ``unsure``) that colours the text."""

    text: str
    small: str = ""
    tone: str = ""


def document(title: str, parts: Iterable[str]) -> str:
    """Return a whole page of parts, which are markup already."""
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{clean(title)}</title><style>{_STYLE}</style></head>",
            f"<body><main><h1>{clean(title)}</h1>",
            *parts,
            "</main></body></html>\n",
        )
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell | str]], *, label: str) -> str:
    """Return a table; the first cell of a row is its heading."""
    heads = "".join(f'<th scope="col">{clean(one)}</th>' for one in columns)
    body = "\n".join(_row(row) for row in rows)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{clean(label)}"><table>'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def heading(text: str) -> str:
    """Return a heading of the second level."""
    return f"<h2>{clean(text)}</h2>"


def paragraph(text: str, tone: str = "") -> str:
    """Return a paragraph."""
    return f'<p class="{tone}">{clean(text)}</p>' if tone else f"<p>{clean(text)}</p>"


def bullets(sentences: Iterable[str]) -> str:
    """Return a list, nothing where there is nothing to say."""
    items = "".join(f"<li>{clean(one)}</li>" for one in sentences)
    return f"<ul>{items}</ul>" if items else ""


def clean(text: str) -> str:
    """Escape for HTML and XML, without the control characters that neither can hold."""
    return escape(
        "".join(sign for sign in text if sign in "\t\n" or (sign >= " " and not "\x7f" <= sign < "\xa0"))
    )


def _row(row: Sequence[Cell | str]) -> str:
    cells = [one if isinstance(one, Cell) else Cell(one) for one in row]
    first, *others = cells
    return f'<tr><th scope="row">{_inside(first)}</th>{"".join(f"<td>{_inside(one)}</td>" for one in others)}</tr>'


def _inside(cell: Cell) -> str:
    text = f'<span class="{cell.tone}">{clean(cell.text)}</span>' if cell.tone else clean(cell.text)
    return f"{text}<br><small>{clean(cell.small)}</small>" if cell.small else text
