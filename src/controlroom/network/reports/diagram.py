"""Draws the data centre with its ports as one SVG: who calls on the left, the Control Room amid, the rest right."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from html import escape

from controlroom.network import catalogue
from controlroom.network.catalogue import Component, Flow
from controlroom.network.catalogue.model import IMPLIED_COMPONENTS, Service
from controlroom.network.intervals import union
from controlroom.network.policy import Policy
from controlroom.network.ports import format_ports
from controlroom.network.site import Site

_CLIENTS = (
    Component.BROWSER,
    Component.BOT_RUNNER,
    Component.BOT_CREATOR,
    Component.API_CLIENT,
    Component.IQ_BOT,
    Component.BOT_INSIGHT,
    Component.MONITORING,
)
_MIDDLE = (Component.LOAD_BALANCER, Component.CONTROL_ROOM)
_LINE, _HEAD, _GAP, _WIDTH = 16, 30, 18, 370
_COLUMNS = (20, 490, 960)
_STYLE = (
    "text{font:12px sans-serif;fill:#1b2430}.name{font-weight:bold;font-size:13px}"
    ".box{fill:#f4f7fb;stroke:#41597a}.cluster{fill:#fdf3e4;stroke:#a86b12}.flow{fill:none;stroke:#6b7f99}"
)


@dataclass(frozen=True, slots=True)
class _Box:
    component: Component
    x: int
    y: int
    lines: tuple[str, ...]
    title: str

    @property
    def height(self) -> int:
        return _HEAD + _LINE * len(self.lines)

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


def draw(policy: Policy | None = None, *, styled: bool = True) -> str:
    """Return the SVG of the whole catalogue, or of what one site has of it.

    Not ``styled``, it is a part of a page that styles its classes: text, name, box, cluster, flow and the tip's marker.
    """
    flows = [flow for flow in catalogue.FLOWS if policy is None or flow.name in policy.flows]
    if policy is not None:
        flows = [*(_as_in_site(flow, policy) for flow in flows), *_own_flows(policy.site)]
    boxes = _place(flows, policy)
    width = _COLUMNS[-1] + _WIDTH + 20
    height = max((box.y + box.height for box in boxes.values()), default=0) + 20
    title = f"Ports of site {policy.site.name}" if policy else "Ports of the data centre"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        f"<title>{escape(title)}</title>" + (f"<style>{_STYLE}</style>" if styled else ""),
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#6b7f99"/></marker></defs>',
        *_arrows(flows, boxes),
        *(_drawn(box) for box in boxes.values()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _as_in_site(flow: Flow, policy: Policy) -> Flow:
    """Return a flow with the ports that the site gave it, and at the balancer where that took the entrance over."""
    ports = union(permit.ports for permit in policy.permits if permit.flow == flow.name) or flow.service.ports
    balanced = flow.service.entrance and policy.site.balancers and "balancer-web" in policy.flows
    direct = flow.source is Component.BOT_RUNNER and policy.site.options.runner_link == "direct"
    component = Component.LOAD_BALANCER if balanced and not direct else flow.destination
    return replace(flow, service=replace(flow.service, ports=ports, component=component))


def _own_flows(site: Site) -> Iterator[Flow]:
    """Yield the flows that a site adds, between the components that its parties play."""
    for one in site.flows:
        for source in _played(one.sources, site):
            for destination in _played(one.destinations, site):
                service = Service(one.name, destination, one.transport, one.ports, one.name, "the site")
                yield Flow(one.name, source, service, one.purpose)


def _played(sides: tuple[str, ...], site: Site) -> list[Component]:
    """Return the components that names and roles stand for, each once."""
    meant = [party for party in site.parties if {party.name, party.fleet, party.zone} & set(sides)]
    roles = [role for party in meant for role in sorted(party.roles - IMPLIED_COMPONENTS)]
    return list(dict.fromkeys([*(one for one in Component if one in sides), *roles]))


def _place(flows: list[Flow], policy: Policy | None) -> dict[Component, _Box]:
    used = {flow.source for flow in flows} | {flow.destination for flow in flows}
    tops = [20, 20, 20]
    boxes: dict[Component, _Box] = {}
    for component in Component:
        if component not in used or component in IMPLIED_COMPONENTS or component is Component.ADMINISTRATOR:
            continue
        column = 0 if component in _CLIENTS else 1 if component in _MIDDLE else 2
        box = _Box(
            component, _COLUMNS[column], tops[column], _open_on(component, flows), _title(component, policy)
        )
        boxes[component] = box
        tops[column] += box.height + _GAP
    return boxes


def _open_on(component: Component, flows: list[Flow]) -> tuple[str, ...]:
    lines: dict[str, None] = {}
    for flow in flows:
        if flow.destination is component:
            service = flow.service
            lines[f"{service.transport} {format_ports(service.ports)}  {service.application}"] = None
    return tuple(lines)


def _title(component: Component, policy: Policy | None) -> str:
    if policy is None:
        return str(component)
    count = sum(component in party.roles for party in policy.site.parties)
    return f"{component} × {count}" if count > 1 else str(component)


def _arrows(flows: list[Flow], boxes: dict[Component, _Box]) -> list[str]:
    pairs = dict.fromkeys((flow.source, flow.destination) for flow in flows)
    arrows = []
    for source, destination in pairs:
        if source is destination or source not in boxes or destination not in boxes:
            continue
        start, end = boxes[source], boxes[destination]
        forward = start.x <= end.x
        x1 = start.x + _WIDTH if forward else start.x
        x2 = end.x if forward and start.x != end.x else end.x + _WIDTH
        bend = (x1 + x2) // 2 if start.x != end.x else x1 + 40
        path = f"M{x1},{start.middle} C{bend},{start.middle} {bend},{end.middle} {x2},{end.middle}"
        arrows.append(f'<path class="flow" marker-end="url(#tip)" d="{path}"/>')
    return arrows


def _drawn(box: _Box) -> str:
    kind = "cluster" if box.component is Component.CONTROL_ROOM else "box"
    texts = [f'<text class="name" x="{box.x + 10}" y="{box.y + 19}">{escape(box.title)}</text>']
    for number, line in enumerate(box.lines):
        texts.append(f'<text x="{box.x + 10}" y="{box.y + _HEAD + 6 + number * _LINE}">{escape(line)}</text>')
    frame = f'<rect class="{kind}" x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="6"/>'
    return frame + "".join(texts)
