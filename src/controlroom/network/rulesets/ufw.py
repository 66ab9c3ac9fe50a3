"""Reads what ufw loads: ``/etc/ufw/*.rules`` with ``/etc/default/ufw`` and ``/etc/ufw/ufw.conf``.

``ufw status`` shows the user's rules alone, without what ``before.rules`` opens ahead of them, so that the files are
the true source. They are put together as ufw's own start does it (``ufw-init-functions``), and read as the iptables
rules that they then are. A file that is missing makes what it would say unknown.
"""

import re
import shlex
from collections.abc import Iterator, Mapping

from controlroom.network.addresses import Family
from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets import iptables
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.stacks import ruleset_of
from controlroom.network.rulesets.ufw_lines import read_lines

_KINDS = ("before", "after", "user")
_ROLE = re.compile(r"(?:.*[-./])?(before|after|user)(6?)\.rules")
_SETTING = re.compile(r"""\s*(?:export\s+)?([A-Z_0-9]+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s#"']*))\s*(?:#.*)?""")
_HOOKS = ("input", "output", "forward")
# Which chains a hook calls, in the order of ufw-init-functions.
_PRIMARY = ("before-logging", "before", "after", "after-logging", "reject", "track")
_POLICIES = {"ACCEPT": "ACCEPT", "DROP": "DROP", "REJECT": "DROP"}

ASSUMPTIONS = (
    "ufw is enabled, has loaded the files as they stand, and nothing else fills the filter table.",
    "before.init and after.init, where they are executable, add no rule.",
    "What arrives for this host and is not multicast is for an address of its own (ufw-not-local).",
    "IPv6 packets carry no type 0 routing header, and neighbour discovery the hop limit of its standard.",
)

Files = Mapping[tuple[str, Family], RulesetText]


class UfwParser:
    """Plays ufw's start on its files and reads the result as iptables rules."""

    name = "ufw"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file is one of ufw's."""
        start = file.text[:20_000]
        return bool(_ROLE.fullmatch(file.name) and re.search(r"^:ufw6?-", start, re.MULTILINE)) or (
            "DEFAULT_INPUT_POLICY=" in start
        )

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the files of one ufw; raise `BadRuleset`."""
        rules: dict[tuple[str, Family], RulesetText] = {}
        settings: dict[str, str] = {}
        for file in files:
            if role := _ROLE.fullmatch(file.name):
                key = (role[1], Family.IPV6 if role[2] else Family.IPV4)
                if key in rules:
                    raise BadRuleset(f"{file.name}: a second file of that kind, after {rules[key].name}")
                rules[key] = file
            else:
                settings |= _settings(file)
        texts = tuple(_saved(family, rules, settings) for family in Family)
        return ruleset_of(self.name, iptables.stack_of(texts), ASSUMPTIONS)


PARSER = UfwParser()


def _settings(file: RulesetText) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(file.text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _SETTING.fullmatch(line)
        if match is None:
            raise BadRuleset(
                f"{file.name}:{number}: {line[:60]!r} is neither a rules file nor a setting of ufw"
            )
        found[match[1]] = next((value for value in match.groups()[1:] if value is not None), "")
    return found


def _saved(family: Family, files: Files, settings: Mapping[str, str]) -> RulesetText:
    """Return what ``iptables-save`` would print of one family once ufw has started."""
    name = "ip6tables" if family is Family.IPV6 else "iptables"
    if settings.get("ENABLED", "yes").lower() != "yes":
        return RulesetText(name, f"# {name}: ufw is not enabled\n*filter\nCOMMIT\n")
    if family is Family.IPV6 and settings.get("IPV6", "yes").lower() != "yes":
        closed = "".join(f":{hook.upper()} DROP [0:0]\n" for hook in _HOOKS)
        return RulesetText(name, f"# {name}: IPV6=no\n*filter\n{closed}COMMIT\n")
    return RulesetText(name, "\n".join([f"# {name}", *_tables(family, files, settings), ""]))


def _tables(family: Family, files: Files, settings: Mapping[str, str]) -> Iterator[str]:
    prefix = "ufw6" if family is Family.IPV6 else "ufw"
    policies = {hook: settings.get(f"DEFAULT_{hook.upper()}_POLICY", "") for hook in _HOOKS}
    tables: dict[str, list[str]] = {"filter": []}
    filters = tables["filter"]
    filters += _scaffold(prefix, policies)
    for kind in _KINDS:
        if (file := files.get((kind, family))) is not None:
            for table, line in read_lines(file, family):
                _add(tables.setdefault(table, []), line)
        else:
            filters += _missing(f"{kind}{'6' if family is Family.IPV6 else ''}.rules", prefix, kind)
    filters += [f"-A {prefix}-before-{hook} -j {prefix}-user-{hook}" for hook in _HOOKS]
    for table, lines in tables.items():
        yield f"*{table}"
        # Declarations come first, whichever file made them.
        declared = list(dict.fromkeys(line for line in lines if line.startswith(":")))
        yield from declared
        yield from (line for line in lines if not line.startswith(":"))
        yield "COMMIT"


def _add(lines: list[str], line: str) -> None:
    """Add a line; a chain that is declared anew is emptied first, as ``iptables-restore --noflush`` does it."""
    if line.startswith(":"):
        rule = f"-A {line[1:].split(maxsplit=1)[0]} "
        if any(one.startswith(rule) for one in lines):
            lines[:] = [one for one in lines if not one.startswith(rule)]
    lines.append(line)


def _scaffold(prefix: str, policies: Mapping[str, str]) -> Iterator[str]:
    """Yield the chains that ufw makes itself, and the default policies with what stands for them."""
    for hook, policy in policies.items():
        yield f":{hook.upper()} {_POLICIES.get(policy, 'ACCEPT')} [0:0]"
        for chain in (*_PRIMARY, "user", "user-logging", "skip-to-policy"):
            yield f":{prefix}-{chain}-{hook} - [0:0]"
    for chain in ("logging-deny", "logging-allow", "user-limit", "user-limit-accept"):
        yield f":{prefix}-{chain} - [0:0]"
    for hook, policy in policies.items():
        for chain in _PRIMARY:
            yield f"-A {hook.upper()} -j {prefix}-{chain}-{hook}"
        if policy not in _POLICIES:
            said = f"DEFAULT_{hook.upper()}_POLICY of /etc/default/ufw"
            yield from _unknown(said, f"{prefix}-track-{hook}")
            yield from _unknown(said, f"{prefix}-skip-to-policy-{hook}")
            continue
        if policy == "REJECT":
            yield f"-A {prefix}-reject-{hook} -j REJECT"
        yield f"-A {prefix}-skip-to-policy-{hook} -j {policy}"


def _missing(name: str, prefix: str, kind: str) -> Iterator[str]:
    for hook in _HOOKS:
        yield from _unknown(name, f"{prefix}-{kind}-{hook}")


def _unknown(what: str, chain: str) -> Iterator[str]:
    """Yield lines that may accept or drop anything, because something was not given."""
    for target in ("ACCEPT", "DROP"):
        yield f"-A {chain} -m {shlex.quote(f'{what}, which was not given,')} -j {target}"
