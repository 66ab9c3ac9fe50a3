"""Reads the netsh script that our own renderer writes, line by line, and refuses every other line."""

import re
from dataclasses import dataclass, field

from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.windows_table import ANY, PROFILES, WindowsProfile, WindowsRule, ruleset_of

_COMMENT = re.compile(r"#[ -~]*")
# The lines that must all be there before the rules, so that nothing but the rules counts.
_STORE = "advfirewall set store gpo=localhost"
_ON = "advfirewall set allprofiles state on"
_ALONE = "advfirewall set allprofiles settings localfirewallrules disable"
_DELETE = 'advfirewall firewall delete rule name="controlroom"'
_POLICY = re.compile(r"advfirewall set allprofiles firewallpolicy blockinbound,(blockoutbound|allowoutbound)")
_LIST = r"[0-9a-f.:/,any-]+"
_RULE = re.compile(
    r'advfirewall firewall add rule name="controlroom" dir=(?P<way>in|out) action=allow profile=any enable=yes '
    r"protocol=(?:icmpv6:(?P<type>[0-9]{1,3}),any|(?P<protocol>TCP|UDP) "
    rf"localip=(?P<local>{_LIST}) remoteip=(?P<remote>{_LIST}) (?P<side>localport|remoteport)=(?P<ports>[0-9,-]+)) "
    r'description="(?P<description>[ !#-~]*)"'
)


@dataclass(slots=True)
class _Reading:
    needed: set[str] = field(default_factory=lambda: {_STORE, _ON, _ALONE, _DELETE, "firewallpolicy"})
    outbound_allowed: bool = True
    rules: list[WindowsRule] = field(default_factory=list)


class WindowsNetshParser:
    """Reads one script."""

    name = "windows-netsh"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file looks like our script."""
        return _STORE in file.text

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the script; raise `BadRuleset` at the first line that is not ours."""
        reading = _Reading()
        for file in files:
            for number, line in enumerate(file.text.split("\n"), start=1):
                if line and not _COMMENT.fullmatch(line):
                    _read(reading, f"{file.name}:{number}", line)
        if reading.needed:
            raise BadRuleset(f"cut off: there is no line {sorted(reading.needed)[0]!r}")
        profiles = [
            WindowsProfile(name, outbound_allowed=reading.outbound_allowed) for name in sorted(PROFILES)
        ]
        return ruleset_of(self.name, profiles, reading.rules)


PARSER = WindowsNetshParser()


def _read(reading: _Reading, place: str, line: str) -> None:
    # Nothing may go to another store than the one that is chosen first, and no rule to a policy that is not set.
    if _STORE in reading.needed and line != _STORE:
        raise BadRuleset(f"{place}: {line[:60]!r} comes before {_STORE!r}")
    if line in reading.needed:
        reading.needed.remove(line)
    elif "firewallpolicy" in reading.needed and (found := _POLICY.fullmatch(line)):
        reading.needed.remove("firewallpolicy")
        reading.outbound_allowed = found[1] == "allowoutbound"
    elif (found := _RULE.fullmatch(line)) and not reading.needed:
        reading.rules.append(_rule(place, found))
    else:
        raise BadRuleset(f"{place}: {line[:60]!r} is not a line that we write here")


def _rule(place: str, found: re.Match[str]) -> WindowsRule:
    name = f"{place} ({found['description'][:80]})"
    direction = Direction.INBOUND if found["way"] == "in" else Direction.OUTBOUND
    if found["type"]:
        return WindowsRule(name, direction, True, "ICMPv6", icmp_types=(found["type"],))
    ports = {found["side"]: tuple(found["ports"].split(","))}
    return WindowsRule(
        name,
        direction,
        True,
        found["protocol"],
        tuple(found["local"].split(",")),
        tuple(found["remote"].split(",")),
        ports.get("localport", ANY),
        ports.get("remoteport", ANY),
    )
