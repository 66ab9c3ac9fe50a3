"""Reads the PowerShell rules that our own renderer writes, line by line, and refuses every other line.

It is no reader of PowerShell: a line that is not exactly of the few forms below could do anything.
"""

import re
from typing import NoReturn

from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.windows_table import PROFILES, WindowsProfile, WindowsRule, ruleset_of

_COMMENT = re.compile(r"#[ -~]*")
_REMOVE = "Remove-NetFirewallRule -PolicyStore localhost -Group 'controlroom' -ErrorAction SilentlyContinue"
_PROFILES = re.compile(
    r"Set-NetFirewallProfile -PolicyStore localhost -Name @\('Domain', 'Private', 'Public'\) -Enabled True "
    r"-DefaultInboundAction Block -DefaultOutboundAction (?P<outbound>Block|NotConfigured) "
    r"-AllowInboundRules True -AllowLocalFirewallRules False"
)
_ONE = r"'[0-9A-Za-z.:/-]+'"
_LIST = rf"(?:{_ONE}|@\({_ONE}(?:, {_ONE})+\))"
_RULE = re.compile(
    r"New-NetFirewallRule -PolicyStore localhost -Name '(?P<name>controlroom-[0-9]{5,})' "
    r"-DisplayName '(?P<title>controlroom: [0-9A-Za-z._-]+)' "
    r"-Group 'controlroom' -Enabled True -Profile Any -Direction (?P<direction>Inbound|Outbound) -Action Allow "
    rf"-Protocol (?P<protocol>TCP|UDP|ICMPv6) -LocalAddress (?P<local>{_LIST}) -RemoteAddress (?P<remote>{_LIST}) "
    rf"-(?P<kind>LocalPort|RemotePort|IcmpType) (?P<ports>{_LIST}) \| Out-Null"
)


class WindowsPowershellParser:
    """Reads one file of rules."""

    name = "windows-powershell"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file looks like our rules."""
        return "New-NetFirewallRule -PolicyStore localhost" in file.text

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the rules; raise `BadRuleset` at the first line that is not ours."""
        profiles, rules = read_table(files)
        return ruleset_of(self.name, profiles, rules)


PARSER = WindowsPowershellParser()


def read_table(files: tuple[RulesetText, ...]) -> tuple[list[WindowsProfile], list[WindowsRule]]:
    """Return the table that a file of rules makes; raise `BadRuleset`."""
    profiles: list[WindowsProfile] = []
    rules: list[WindowsRule] = []
    names: set[str] = set()
    for file in files:
        for number, line in enumerate(file.text.split("\n"), start=1):
            # What removes rules, or sets the profiles, comes before the rules.
            if not line or _COMMENT.fullmatch(line) or (line == _REMOVE and not rules):
                continue
            if (found := _PROFILES.fullmatch(line)) and not profiles:
                outbound = found["outbound"] == "NotConfigured"
                profiles = [WindowsProfile(name, outbound_allowed=outbound) for name in sorted(PROFILES)]
            elif (found := _RULE.fullmatch(line)) and profiles and found["name"] not in names:
                names.add(found["name"])
                rules.append(_rule(found))
            else:
                _refuse(file.name, number, line)
    return profiles, rules


def _rule(found: re.Match[str]) -> WindowsRule:
    values = {found["kind"]: _words(found["ports"])}
    return WindowsRule(
        f"{found['title']} ({found['name']})",
        Direction(found["direction"].lower()),
        True,
        found["protocol"],
        _words(found["local"]),
        _words(found["remote"]),
        values.get("LocalPort", ("Any",)),
        values.get("RemotePort", ("Any",)),
        values.get("IcmpType", ("Any",)),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"'([^']*)'", text))


def _refuse(name: str, number: int, line: str) -> NoReturn:
    raise BadRuleset(
        f"{name}:{number}: {line[:60]!r} is not a line that we write; of a running Windows read the export"
    )
