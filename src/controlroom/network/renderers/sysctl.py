"""Renders the sysctl that keeps Linux from lending the cluster's ports to outgoing connections."""

from controlroom.network import catalogue
from controlroom.network.catalogue import Component
from controlroom.network.errors import CannotExpress
from controlroom.network.intervals import IntervalSet, union
from controlroom.network.ports import format_ports
from controlroom.network.projection import Projection, Scope
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering

RESERVED_PORTS_KEY = "net.ipv4.ip_local_reserved_ports"
# Linux's default range for outgoing connections (Documentation/networking/ip-sysctl); below it nothing is lent.
EPHEMERAL_PORTS = IntervalSet(((32768, 60999),))


class SysctlRenderer:
    """A drop-in for ``/etc/sysctl.d``; it covers IPv6 too, whatever the key's name says."""

    name = "sysctl"
    title = "reserved ports on Linux (sysctl)"
    scopes = frozenset({Scope.HOST})
    parser = ""

    def render(self, projection: Projection) -> Rendering:
        """Return the drop-in; raise `CannotExpress` for a host that is no Control Room server."""
        party = projection.party
        if party is None or Component.CONTROL_ROOM not in party.roles:
            raise CannotExpress(
                f"{projection.name!r} is no Control Room server: it has no cluster ports to reserve"
            )
        text = (
            f"# {TAG}: cluster ports of host {projection.name} in site {projection.site}\n"
            "# They lie in the range that Linux lends to outgoing connections; a lent port cannot be listened on.\n"
            f"# Check: sysctl {RESERVED_PORTS_KEY}. Apply: sysctl --system. Roll back: remove this file, then\n"
            f"# sysctl -w {RESERVED_PORTS_KEY}=''\n"
            f"{RESERVED_PORTS_KEY} = {format_ports(reserved_ports(), separator=',')}\n"
        )
        return Rendering(self.name, (RenderedFile("90-controlroom-ports.conf", text, is_rules=False),))


RENDERER = SysctlRenderer()


def reserved_ports() -> IntervalSet:
    """Return the cluster's default ports that lie in the ephemeral range."""
    ports = union(service.ports for service in catalogue.SERVICES if service.cluster)
    return ports & EPHEMERAL_PORTS
