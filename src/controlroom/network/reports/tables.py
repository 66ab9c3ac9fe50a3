"""Tables of required ports, and their writing as Markdown, CSV, JSON and HTML."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controlroom.network import catalogue
from controlroom.network.baseline import (
    NEIGHBOUR_DISCOVERY,
    NEIGHBOUR_DISCOVERY_NAME,
    NEIGHBOUR_DISCOVERY_PURPOSE,
)
from controlroom.network.catalogue import Component, Flow, Origin, Section
from controlroom.network.ports import format_ports
from controlroom.network.reports import html

FORMATS = ("terminal", "md", "csv", "json", "html")
OURS = "Our own additions"
LOCAL = "Bound to the local host, never opened"


@dataclass(frozen=True, slots=True)
class PortTable:
    """One titled table; every row has a value for every column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_FLOW_COLUMNS = ("Flow", "From", "To", "Protocol", "Ports", "Purpose", "Changed in", "Demanded by")


def tables_by_component() -> list[PortTable]:
    """Return one table a listening component, and one of what is local."""
    tables = [
        PortTable(
            f"Open on {component}",
            _FLOW_COLUMNS,
            tuple(_flow_row(flow) for flow in catalogue.FLOWS if flow.destination is component),
        )
        for component in Component
    ]
    return [*(table for table in tables if table.rows), _baseline(), _local()]


def tables_by_section() -> list[PortTable]:
    """Return the document's own tables, then our additions and what is local."""
    ours = tuple(_flow_row(flow) for flow in catalogue.FLOWS if flow.origin is Origin.OURS)
    return [
        *_document_ports(),
        *_document_elements(),
        PortTable(OURS, _FLOW_COLUMNS, ours),
        _baseline(),
        _local(),
    ]


def shorten(names: Sequence[str]) -> str:
    """Write many names as the first and the last of them."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} … {names[-1]} ({len(names)})"


def _flow_row(flow: Flow) -> tuple[str, ...]:
    sources = "; ".join(f"“{' '.join(catalogue.row(key).words)}”" for key in flow.rows)
    return (
        flow.name,
        flow.source,
        flow.destination,
        flow.transport,
        format_ports(flow.service.ports),
        flow.purpose,
        flow.service.changeable,
        sources or "ours",
    )


def _document_ports() -> Iterator[PortTable]:
    for section in Section:
        rows = tuple(
            (
                row.protocol,
                format_ports(row.ports),
                row.subject,
                ", ".join(row.peers),
                row.note,
                ", ".join(flow.name for flow in catalogue.FLOWS if row.key in flow.rows),
            )
            for row in catalogue.PORT_ROWS
            if row.section is section
        )
        if rows:
            yield PortTable(
                section, ("Protocol", "Ports", "Usage", "What's connecting", "Notes", "Flows"), rows
            )


def _document_elements() -> Iterator[PortTable]:
    yield PortTable(
        Section.AZURE_ELEMENTS,
        ("Data center object", "Version", "Configuration"),
        tuple(
            (row.element, "; ".join(row.versions), " or ".join(row.placements))
            for row in catalogue.ELEMENT_ROWS
        ),
    )
    yield PortTable(
        Section.MAIL,
        ("Server", "Host Name", "Supported Ports"),
        tuple((row.provider, row.host, format_ports(row.ports)) for row in catalogue.MAIL_ROWS),
    )


def _baseline() -> PortTable:
    row = (
        NEIGHBOUR_DISCOVERY_NAME,
        "icmpv6",
        format_ports(NEIGHBOUR_DISCOVERY),
        NEIGHBOUR_DISCOVERY_PURPOSE,
        "ours",
    )
    return PortTable(
        "Open on every host with IPv6", ("Flow", "Protocol", "Types", "Purpose", "Demanded by"), (row,)
    )


def _local() -> PortTable:
    rows = tuple(
        (
            one.name,
            str(one.component),
            str(one.transport),
            format_ports(one.ports) if one.ports else "dynamic",
            one.purpose,
        )
        for one in catalogue.LOCAL_SOCKETS
    )
    return PortTable(LOCAL, ("Socket", "On", "Protocol", "Ports", "Purpose"), rows)


def write_tables(tables: Sequence[PortTable], format_name: str) -> str:
    """Return the tables as md, csv, json or html."""
    writers = {"md": _markdown, "csv": _csv, "json": _json, "html": _html}
    return writers[format_name](tables)


def _markdown(tables: Sequence[PortTable]) -> str:
    lines: list[str] = []
    for table in tables:
        lines += [f"## {table.title}", "", _pipes(table.columns), _pipes(["---"] * len(table.columns))]
        lines += [_pipes(row) for row in table.rows]
        lines.append("")
    return "\n".join(lines)


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _csv(tables: Sequence[PortTable]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for table in tables:
        writer.writerow(("Table", *table.columns))
        writer.writerows((table.title, *row) for row in table.rows)
    return out.getvalue()


def _json(tables: Sequence[PortTable]) -> str:
    found = [
        {"title": table.title, "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows]}
        for table in tables
    ]
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def _html(tables: Sequence[PortTable]) -> str:
    parts: list[str] = []
    for one in tables:
        parts += [html.heading(one.title), html.table(one.columns, one.rows, label=one.title)]
    return html.document("Required ports", parts)
