"""Reads what a Palo Alto firewall holds: set commands of addresses, services and security rules, first match first.

Zones, applications and users are not part of the contract: a rule that depends on them is uncertain. Behind the last
rule the platform denies between zones and allows within one, which is unknown here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from controlroom.network.addresses import Family
from controlroom.network.analysis import Effect, Match, Program, Rule, Verdict
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.border_rules import not_on_hosts, refuse_too_many, rules_for
from controlroom.network.rulesets.cloud_rules import EVERYONE, Side, doubtful
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.named_objects import (
    all_services,
    all_sides,
    outside,
    unknown_side,
)
from controlroom.network.rulesets.palo_alto_objects import Objects
from controlroom.network.rulesets.palo_alto_text import commands, values

_SIGN = re.compile(r"^set (vsys \S+ |shared )?(rulebase security rules|address|service|address-group) ", re.M)
_ASSUMPTIONS = (
    "A packet is the first of its connection: replies pass by the device's table of sessions.",
    "What the device itself sends or receives is not part of it.",
    "Security profiles, zone protection and policies for decryption and denial of service block nothing that the "
    "contract needs.",
)
# What a rule may say besides that changes nothing about which packets pass.
_SILENT = frozenset({"tag", "description", "log-start", "log-end", "log-setting", "group-tag", "uuid"})
_NESTED = frozenset({"profile-setting", "option", "qos", "target"})
_LISTS = ("from", "to", "source", "destination", "source-user", "category", "application", "service")
# Whom and what a rule means besides addresses, protocol and ports, and the word by which it means all of them.
_NARROWING = (
    "from",
    "to",
    "source-user",
    "category",
    "application",
    "source-hip",
    "destination-hip",
    "hip-profiles",
)
_DENYING = frozenset({"deny", "drop", "reset-client", "reset-server", "reset-both"})


@dataclass(slots=True)
class _Held:
    """What a configuration holds, as it is read."""

    objects: Objects = field(default_factory=Objects)
    rules: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    systems: set[str] = field(default_factory=set)
    translations: int = 0
    defaults: list[str] = field(default_factory=list)


class PaloAltoParser:
    """Reads set commands: a rendering of ours, or ``show`` in configuration mode with the set output format."""

    name = "palo-alto"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file has set commands of PAN-OS."""
        return _SIGN.search(file.text) is not None

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the rules of one firewall; raise `BadRuleset`."""
        held = _Held()
        for file in files:
            for number, words in commands(file):
                place = f"{file.name}:{number}"
                try:
                    _take(held, place, words)
                except (ValueError, IndexError):
                    raise BadRuleset(f"{place}: {' '.join(words)[:80]!r} is no whole command") from None
        if len(held.systems) > 1:
            raise BadRuleset(
                f"the virtual systems {', '.join(sorted(held.systems))[:100]} are several firewalls; give one"
            )
        if not held.rules:
            raise BadRuleset(f"{', '.join(file.name for file in files)}: no security rule is in it")
        rules = [
            rule for name, settings in held.rules.items() for rule in _rules(held.objects, name, settings)
        ]
        program = Program((*refuse_too_many(rules), _last(held)), Verdict.DENY, "interzone-default")
        programs = {**not_on_hosts("a security rule"), Direction.FORWARD: program}
        return Ruleset(self.name, programs, tuple(_assumptions(held)))


PARSER = PaloAltoParser()


def _take(held: _Held, place: str, words: list[str]) -> None:
    if words[0] != "set":
        raise BadRuleset(
            f"{place}: {' '.join(words)[:80]!r} is no set command (set cli config-output-format set)"
        )
    path = words[1:]
    if path[0] in {"device-group", "template", "pre-rulebase", "post-rulebase"} or "panorama" in path[:2]:
        raise BadRuleset(f"{place}: this is Panorama's; give what the firewall itself holds")
    scope = ""
    if path[0] == "vsys":
        scope, path = path[1], path[2:]
        held.systems.add(scope)
    elif path[0] == "shared":
        scope, path = path[0], path[1:]
    match path:
        case ["rulebase", "security", "rules", name, *rest]:
            _add(held.rules.setdefault(name, {}), rest)
        case ["rulebase", "default-security-rules", "rules", name, *rest]:
            held.defaults.append(" ".join([name, *rest])[:80])
        case ["rulebase", "nat", *_]:
            held.translations += 1
        case ["address" | "address-group" | "service" | "service-group" as kind, name, *rest]:
            held.objects.add(scope, kind, name, rest)
        case _:
            pass


def _add(settings: dict[str, list[str]], words: list[str]) -> None:
    """Add settings to a rule: lists grow, as on the device, and others are replaced."""
    place = 0
    while place < len(words):
        key = words[place]
        if key in _NESTED:
            settings[key] = words[place + 1 :]
            return
        found, place = values(words, place + 1)
        settings[key] = [*settings.get(key, []), *found] if key in _LISTS else found


def _rules(objects: Objects, name: str, settings: Mapping[str, list[str]]) -> list[Rule]:
    if settings.get("disabled") == ["yes"]:
        return []
    action = "".join(settings.get("action", []))
    effect = Effect.DENY if action in _DENYING else Effect.ALLOW
    doubts = _doubts(settings)
    if action not in _DENYING | {"allow"}:
        doubts.append(f"its action is {action[:40] or 'not given'}")
    services = objects.services_of(settings.get("service", []))
    if doubts:
        services = (doubtful("; ".join(doubts)),)
    sources, destinations = (_side(objects, settings, word) for word in ("source", "destination"))
    return [
        rule
        for family in Family
        for rule in rules_for(name, effect, all_services(services), sources, destinations, family)
    ]


def _side(objects: Objects, settings: Mapping[str, list[str]], word: str) -> Side:
    names = settings.get(word, [])
    if not names:
        return unknown_side(f"its {word} is not given")
    side = EVERYONE if "any" in names else all_sides(objects.side(name) for name in names)
    return outside(side) if settings.get(f"negate-{word}") == ["yes"] else side


def _doubts(settings: Mapping[str, list[str]]) -> list[str]:
    found = [
        f"{word} {', '.join(settings[word])[:60]} decides it"
        for word in _NARROWING
        if word in settings and "any" not in settings[word]
    ]
    if not settings.get("from") or not settings.get("to"):
        found.append("its zones are not given")
    if settings.get("rule-type", ["universal"]) != ["universal"]:
        found.append(f"it counts for {settings['rule-type'][0][:40]} traffic alone")
    known = {*_SILENT, *_NESTED, *_LISTS, *_NARROWING, "action", "disabled", "rule-type"}
    known |= {"negate-source", "negate-destination", "icmp-unreachable"}
    found += [f"{key[:40]} is not understood" for key in settings if key not in known]
    if any(
        word not in {"yes", "no"}
        for key in ("negate-source", "negate-destination")
        for word in settings.get(key, [])
    ):
        found.append("whether it negates is not understood")
    return found


def _last(held: _Held) -> Rule:
    reason = (
        "within a zone the platform's own last rule lets everything pass, and zones are not distinguished"
    )
    if held.defaults:
        reason = f"the platform's own last rules were changed: {held.defaults[0]}"
    return Rule("intrazone-default", Match(), Effect.ALLOW, certain=False, reason=reason)


def _assumptions(held: _Held) -> list[str]:
    found = [
        *_ASSUMPTIONS,
        "The rules stand in the order in which they are given, and no others stand before them.",
    ]
    if held.translations:
        found.append(
            "Address translation is not followed: the rules are asked about addresses as they see them."
        )
    return found
