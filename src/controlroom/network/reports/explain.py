"""Says of one flow who, whom, why, and by which sentence."""

from collections.abc import Iterator

from controlroom.network import catalogue
from controlroom.network.catalogue import Flow
from controlroom.network.ports import format_ports


def explain(flow: Flow) -> str:
    """Return a flow's explanation as a few lines of text."""
    return "\n".join(_lines(flow)) + "\n"


def _lines(flow: Flow) -> Iterator[str]:
    service = flow.service
    yield f"{flow.name}: {flow.purpose}."
    yield f"  who opens it   {flow.source}"
    yield f"  to whom        {flow.destination}, service {service.name} ({service.application})"
    yield f"  on             {service.transport} {format_ports(service.ports)}"
    yield f"  direction      {flow.direction}"
    yield f"  changed in     {service.changeable}"
    for condition in flow.when:
        yield f"  only when      [options] {condition.option} is {' or '.join(condition.values)}"
    if service.plain:
        yield "  not when       [options] tls_only is true"
    for key in flow.rows:
        row = catalogue.row(key)
        yield f"  demanded by    “{' '.join(row.words)}”"
        yield f"                 ({row.section})"
    if not flow.rows:
        yield "  demanded by    our own part; the document does not name it"
    if service.cluster:
        yield f"  and            “{catalogue.CLUSTER_SENTENCE.words}”"
