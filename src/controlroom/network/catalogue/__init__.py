"""The catalogue: every component, service and flow of the data centre, each with the words that demand it.

The rest of the product takes its default ports from here (`default_port`), and names the flow of every socket
that it opens (`flow`). Names are stable; numbers stand nowhere else.
"""

from difflib import get_close_matches
from functools import cache

from controlroom.network.catalogue.document import PORT_ROWS
from controlroom.network.catalogue.elements import (
    CLUSTER_SENTENCE,
    ELEMENT_ROWS,
    LOCAL_SENTENCE,
    MAIL_ROWS,
    POLICY_SENTENCES,
)
from controlroom.network.catalogue.flows import FLOWS
from controlroom.network.catalogue.model import (
    Component,
    ElementRow,
    Flow,
    LocalSocket,
    MailRow,
    Origin,
    PolicySentence,
    PortRow,
    Section,
    Service,
    Transport,
)
from controlroom.network.catalogue.services import LOCAL_SOCKETS, SERVICES
from controlroom.network.errors import UnknownName
from controlroom.network.intervals import Interval

__all__ = [
    "CLUSTER_SENTENCE",
    "ELEMENT_ROWS",
    "FLOWS",
    "LOCAL_SENTENCE",
    "LOCAL_SOCKETS",
    "MAIL_ROWS",
    "POLICY_SENTENCES",
    "PORT_ROWS",
    "SERVICES",
    "Component",
    "ElementRow",
    "Flow",
    "LocalSocket",
    "MailRow",
    "Origin",
    "PolicySentence",
    "PortRow",
    "Section",
    "Service",
    "Transport",
    "default_port",
    "default_ports",
    "flow",
    "flows_to",
    "row",
    "service",
]


def service(name: str) -> Service:
    """Return one service; raise `UnknownName` with the nearest known one."""
    found = _services().get(name)
    if found is None:
        raise UnknownName("service", name, _nearest(name, tuple(_services())))
    return found


def flow(name: str) -> Flow:
    """Return one flow; raise `UnknownName` with the nearest known one."""
    found = _flows().get(name)
    if found is None:
        raise UnknownName("flow", name, _nearest(name, tuple(_flows())))
    return found


def row(key: str) -> PortRow:
    """Return one row of the document's port tables; raise `UnknownName`."""
    found = _rows().get(key)
    if found is None:
        raise UnknownName("document row", key, _nearest(key, tuple(_rows())))
    return found


def default_port(service_name: str) -> int:
    """Return the first default port of a service, such as ``default_port("control-room-web")``."""
    return service(service_name).ports.intervals[0][0]


def default_ports(service_name: str) -> tuple[Interval, ...]:
    """Return all default ports of a service as closed ranges in order."""
    return service(service_name).ports.intervals


def flows_to(service_name: str) -> tuple[Flow, ...]:
    """Return the flows that reach one service, in the catalogue's order."""
    wanted = service(service_name)
    return tuple(one for one in FLOWS if one.service is wanted)


@cache
def _services() -> dict[str, Service]:
    return {one.name: one for one in SERVICES}


@cache
def _flows() -> dict[str, Flow]:
    return {one.name: one for one in FLOWS}


@cache
def _rows() -> dict[str, PortRow]:
    return {one.key: one for one in PORT_ROWS}


def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    close = get_close_matches(name, known, n=1)
    return close[0] if close else None
