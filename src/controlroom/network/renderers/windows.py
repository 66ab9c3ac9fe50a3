"""Renders Windows Firewall in PowerShell (NetSecurity, Windows 8 and Server 2012 and newer).

The rules go into the machine's own group policy, which says besides that rules from elsewhere on the machine do not
count. In Windows an allowing rule adds to all others whatever their order, so that this is the only way to say that
the contract's rules are all there are without touching a rule of somebody else's.
"""

from collections.abc import Iterator

from controlroom.network.projection import Direction, Projection, Scope
from controlroom.network.renderers.interface import TAG, RenderedFile, Rendering, refuse_symbolic
from controlroom.network.renderers.windows_rules import WrittenRule, plain, written_rules
from controlroom.network.renderers.windows_steps import powershell_script

# Windows takes more; a rule of this length can still be read in its console.
_MOST_ADDRESSES = 500


class WindowsRenderer:
    """One file of rules and the script that checks, applies, confirms, rolls back and exports."""

    name = "windows"
    title = "Windows Firewall in PowerShell"
    scopes = frozenset({Scope.HOST})
    parser = "windows-powershell"

    def render(self, projection: Projection) -> Rendering:
        """Return the files."""
        refuse_symbolic(projection, self.name)
        rules = f"{projection.name}-rules.ps1"
        return Rendering(
            self.name,
            (
                # PowerShell takes both kinds of line ends; one kind keeps the file the same to the byte.
                RenderedFile(rules, "".join(f"{line}\n" for line in _lines(projection))),
                RenderedFile(f"{projection.name}-windows.ps1", powershell_script(rules), is_rules=False),
            ),
        )


RENDERER = WindowsRenderer()


def _lines(projection: Projection) -> Iterator[str]:
    outbound = "Block" if Direction.OUTBOUND in projection.permits else "NotConfigured"
    yield f"# {TAG}: firewall of host {projection.name} in site {projection.site}"
    yield "# Default deny. Run by the script beside it, which checks, applies with a timed roll-back, and rolls back."
    yield f"Remove-NetFirewallRule -PolicyStore localhost -Group '{TAG}' -ErrorAction SilentlyContinue"
    yield (
        "Set-NetFirewallProfile -PolicyStore localhost -Name @('Domain', 'Private', 'Public') -Enabled True "
        f"-DefaultInboundAction Block -DefaultOutboundAction {outbound} -AllowInboundRules True "
        "-AllowLocalFirewallRules False"
    )
    told = ""
    for number, rule in enumerate(written_rules(projection, _MOST_ADDRESSES), start=1):
        if rule.flow != told:
            yield f"# {rule.flow}: {plain(rule.purpose)}"
            told = rule.flow
        yield _rule(rule, number)


def _rule(rule: WrittenRule, number: int) -> str:
    inbound = rule.direction is Direction.INBOUND
    parts = [
        f"New-NetFirewallRule -PolicyStore localhost -Name '{TAG}-{number:05}' -DisplayName '{TAG}: {rule.flow}'",
        f"-Group '{TAG}' -Enabled True -Profile Any -Direction {'Inbound' if inbound else 'Outbound'} -Action Allow",
        f"-Protocol {rule.protocol} -LocalAddress {_list(rule.local)} -RemoteAddress {_list(rule.remote)}",
    ]
    if rule.icmp_types:
        parts.append(f"-IcmpType {_list(tuple(str(one) for one in rule.icmp_types))}")
    else:
        parts.append(f"-{'LocalPort' if inbound else 'RemotePort'} {_list(rule.ports)}")
    return " ".join([*parts, "| Out-Null"])


def _list(words: tuple[str, ...]) -> str:
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"@({', '.join(quoted)})"
