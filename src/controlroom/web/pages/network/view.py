"""The network contract of the declared site: which zone speaks to which, by what flows, and how proofs and probes stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from controlroom.foundation.errors import ControlRoomError
from controlroom.identity.access import page_caller
from controlroom.identity.caller import Caller
from controlroom.identity.permissions import Permission
from controlroom.network.reports.tables import shorten
from controlroom.sites.errors import NoSite
from controlroom.sites.models import NetworkReport
from controlroom.web.pages.network.frame import network_page
from controlroom.web.services import sites_of

router = APIRouter(include_in_schema=False)

PATH = "/network"
TEMPLATE = "pages/network/network.html"

_ROWS_WITHOUT_CHOICE = 80
"""A site with more flows than this shows those of one pair of zones, once it is chosen."""

Name = Annotated[str, Query(max_length=63)]


@dataclass(frozen=True, slots=True)
class Cell:
    """How many flows go from one zone to another, and whether cluster ports are among them."""

    destination: str
    flows: int
    cluster: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One zone and what flows from it."""

    source: str
    cells: tuple[Cell, ...]


@router.get(PATH)
async def network(
    *,
    request: Request,
    caller: Annotated[Caller, page_caller(Permission.NETWORK_READ)],
    source: Annotated[str, Query(alias="from", max_length=63)] = "",
    destination: Annotated[str, Query(alias="to", max_length=63)] = "",
) -> Response:
    """Show the matrix, the flows of one pair of zones or of all, and the diagram."""
    sites = sites_of(request)
    try:
        site = await sites.current(caller)
    except NoSite:
        return network_page(request, caller, TEMPLATE, {"site": None, "failed": None})
    try:
        found = await sites.overview(site)
    except ControlRoomError as error:
        return network_page(request, caller, TEMPLATE, {"site": site, "failed": error}, status=error.status)
    together = [{**pair, "flows": put_together(pair["flows"])} for pair in found["pairs"]]
    pairs = shown_pairs(together, source, destination)
    total = sum(len(pair["flows"]) for pair in together)
    context = {
        "site": site,
        "failed": None,
        "found": found,
        "matrix": matrix_of(found["zones"], found["pairs"], source, destination),
        "pairs": pairs,
        "asked": {"source": source, "destination": destination},
        "total": total,
        "has_cluster": any(flow["cluster"] for pair in found["pairs"] for flow in pair["flows"]),
        "newest": newest_by_subject(await sites.reports(caller)),
    }
    return network_page(request, caller, TEMPLATE, context)


def matrix_of(
    zones: Sequence[str], pairs: Sequence[Mapping[str, Any]], source: str, destination: str
) -> list[Row]:
    """Return the matrix, a row a source zone; ``source`` and ``destination`` are the chosen cell."""
    counts = {(pair["source"], pair["destination"]): pair["flows"] for pair in pairs}
    return [
        Row(
            start,
            tuple(
                Cell(
                    end,
                    len({flow["flow"] for flow in counts.get((start, end), ())}),
                    any(flow["cluster"] for flow in counts.get((start, end), ())),
                    (start, end) == (source, destination),
                )
                for end in zones
            ),
        )
        for start in zones
    ]


def put_together(flows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the flows of one pair of zones as people read them: both families in one row, and a cluster's nodes too.

    A cluster's flow is one row a node, from all others to it; that is "each other" in one row.
    """
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for flow in flows:
        key = tuple(flow[name] for name in ("flow", "protocol", "ports", "sources", "destinations"))
        known = rows.setdefault(key, {**flow, "families": []})
        known["families"].append(flow["family"])
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows.values():
        row["family"] = ", ".join(dict.fromkeys(row["families"]))
        key = tuple(row[name] for name in ("flow", "protocol", "ports", "family"))
        found.setdefault(key if row["cluster"] else (*key, row["sources"], row["destinations"]), []).append(
            row
        )
    return [_each_other(group) if len(group) > 1 else group[0] for group in found.values()]


def _each_other(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    receivers = list(dict.fromkeys(row["destinations"] for row in group))
    senders = list(dict.fromkeys(row["sources"] for row in group))
    return {
        **group[0],
        "sources": senders[0] if len(senders) == 1 else "each of the others",
        "destinations": shorten(receivers),
    }


def shown_pairs(
    pairs: Sequence[Mapping[str, Any]], source: str, destination: str
) -> list[Mapping[str, Any]] | None:
    """Return the pairs whose flows are shown; None where there are too many and none was chosen."""
    if source or destination:
        return [
            pair
            for pair in pairs
            if source in {"", pair["source"]} and destination in {"", pair["destination"]}
        ]
    if sum(len(pair["flows"]) for pair in pairs) > _ROWS_WITHOUT_CHOICE:
        return None
    return list(pairs)


def newest_by_subject(reports: Sequence[NetworkReport]) -> list[NetworkReport]:
    """Return the newest report of each kind and subject, what does not hold first."""
    newest: dict[tuple[str, str], NetworkReport] = {}
    for report in reports:
        newest.setdefault((report.kind, report.subject), report)
    return sorted(newest.values(), key=lambda one: one.holds)
