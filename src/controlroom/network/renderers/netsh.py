"""Renders Windows Firewall as a script of netsh, for machines without the NetSecurity cmdlets.

Every rule of ours has the same name, our tag, because netsh deletes by name; the flow is in the description. Like the
PowerShell rendering it writes into the machine's own group policy, where rules from elsewhere can be left out.
"""

from collections.abc import Iterator

from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering, refuse_symbolic
from controlroom.network.renderers.netsh_steps import netsh_script
from controlroom.network.renderers.windows_rules import WrittenRule, plain, written_rules

# A line of a command has at most 8,191 characters on Windows, and an IPv6 range up to 79.
_MOST_ADDRESSES = 80


class NetshRenderer:
    """One script of netsh and one of steps."""

    name = "netsh"
    title = "Windows Firewall with netsh advfirewall"
    scopes = frozenset({Scope.HOST})
    parser = "windows-netsh"

    def render(self, projection: Projection) -> Rendering:
        """Return the files."""
        refuse_symbolic(projection, self.name)
        rules = f"{projection.name}.netsh"
        script = netsh_script(rules).replace("\n", "\r\n")
        return Rendering(
            self.name,
            (
                RenderedFile(rules, "".join(f"{line}\n" for line in _lines(projection))),
                RenderedFile(f"{projection.name}-netsh.cmd", script, is_rules=False),
            ),
        )


RENDERER = NetshRenderer()


def _lines(projection: Projection) -> Iterator[str]:
    outbound = "blockoutbound" if Direction.OUTBOUND in projection.permits else "allowoutbound"
    yield f"# {TAG}: firewall of host {projection.name} in site {projection.site}"
    yield "# Default deny. Run by the script beside it, which checks, applies with a timed roll-back, and rolls back."
    yield "advfirewall set store gpo=localhost"
    yield f'advfirewall firewall delete rule name="{TAG}"'
    yield "advfirewall set allprofiles state on"
    yield f"advfirewall set allprofiles firewallpolicy blockinbound,{outbound}"
    yield "advfirewall set allprofiles settings localfirewallrules disable"
    for rule in written_rules(projection, _MOST_ADDRESSES):
        yield from _rules(rule)


def _rules(rule: WrittenRule) -> Iterator[str]:
    inbound = rule.direction is Direction.INBOUND
    head = f'advfirewall firewall add rule name="{TAG}" dir={"in" if inbound else "out"} action=allow profile=any enable=yes'
    described = f'description="{rule.flow}: {plain(rule.purpose)}"'
    # netsh takes one ICMP type a rule, with a code or the word any.
    for kind in rule.icmp_types:
        yield f"{head} protocol=icmpv6:{kind},any {described}"
    if not rule.icmp_types:
        ports = f"{'localport' if inbound else 'remoteport'}={','.join(rule.ports)}"
        local, remote = (",".join(side).lower() for side in (rule.local, rule.remote))
        yield f"{head} protocol={rule.protocol} localip={local} remoteip={remote} {ports} {described}"
