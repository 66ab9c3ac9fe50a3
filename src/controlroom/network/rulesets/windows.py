"""Reads the rules and profiles of Windows Firewall as JSON, as the ``export`` step of our PowerShell script prints them.

What narrows a rule beyond addresses and ports (programs, services, packages, interfaces, users, machines, IPsec) is
not known of a packet, so that such a rule is uncertain; so is one in which such a property was not exported.
"""

import json
from collections.abc import Iterator, Mapping

from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.rulesets.interface import Ruleset, RulesetText
from controlroom.network.rulesets.windows_table import PROFILES, WindowsProfile, WindowsRule, ruleset_of

# Enumerations come as words or, where PowerShell was not asked for words, as numbers (MSFT_NetFirewallRule).
_ENABLED = {"true": True, "1": True, "false": False, "2": False, "0": False}
_DIRECTIONS = {"inbound": Direction.INBOUND, "1": Direction.INBOUND}
_DIRECTIONS |= {"outbound": Direction.OUTBOUND, "2": Direction.OUTBOUND}
_ALLOWS = {"allow": True, "2": True, "block": False, "4": False}
_DEFAULTS = {**_ALLOWS}
_PROFILE_BITS = {"Domain": 1, "Private": 2, "Public": 4}
# Properties that narrow a rule, with the values that say that they do not.
_NARROWING = {
    "Program": {"any", ""},
    "Package": {"any", ""},
    "Service": {"any", ""},
    "InterfaceAlias": {"any", ""},
    "InterfaceType": {"any", "0"},
    "LocalUser": {"any", ""},
    "RemoteUser": {"any", ""},
    "RemoteMachine": {"any", ""},
    "Authentication": {"notrequired", "0"},
    "Encryption": {"notrequired", "0"},
    "DynamicTarget": {"any", "0", ""},
}

Object = Mapping[str, object]


class WindowsParser:
    """Reads one machine's export."""

    name = "windows"

    def recognises(self, file: RulesetText) -> bool:
        """Say whether a file is such an export."""
        return file.text.lstrip("\ufeff \r\n\t").startswith("{") and all(
            word in file.text for word in ('"Profiles"', '"Rules"', '"DefaultInboundAction"')
        )

    def parse(self, files: tuple[RulesetText, ...]) -> Ruleset:
        """Read the export; raise `BadRuleset`."""
        if len(files) != 1:
            raise BadRuleset(f"an export of Windows Firewall is one file, and {len(files)} were given")
        (file,) = files
        read = _load(file)
        profiles = [_profile(file.name, one) for one in _objects(file.name, read, "Profiles")]
        rules = [
            rule
            for number, one in enumerate(_objects(file.name, read, "Rules"), start=1)
            for rule in _rule(f"{file.name}: rule {number}", one)
        ]
        return ruleset_of(self.name, profiles, rules)


PARSER = WindowsParser()


def _load(file: RulesetText) -> Object:
    try:
        read = json.loads(file.text.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise BadRuleset(f"{file.name}: not JSON, or cut off: {error}") from None
    if not isinstance(read, dict):
        raise BadRuleset(f"{file.name}: no object with Profiles and Rules")
    return read


def _objects(name: str, read: Object, key: str) -> list[Object]:
    found = read.get(key)
    # ConvertTo-Json prints a list of one as the one itself.
    listed = found if isinstance(found, list) else [found]
    kept: list[Object] = [one for one in listed if isinstance(one, dict)]
    if len(kept) != len(listed):
        raise BadRuleset(f"{name}: {key} is no list of objects")
    return kept


def _word(one: Object, key: str) -> str:
    value = one.get(key)
    if isinstance(value, bool | int | str):
        return str(value).strip()
    return ""


def _words(one: Object, key: str) -> tuple[str, ...]:
    """Return a property of one or several values; every value where it is missing or empty, as Windows means it."""
    value = one.get(key)
    listed = value if isinstance(value, list) else [value]
    words = tuple(
        str(item).strip() for item in listed if isinstance(item, str | int) and not isinstance(item, bool)
    )
    kept = tuple(part for word in words for part in word.split(",") if part)
    return kept or ("Any",)


def _profile(name: str, one: Object) -> WindowsProfile:
    profile = _word(one, "Name")
    enabled = _ENABLED.get(_word(one, "Enabled").lower())
    if profile not in PROFILES or enabled is None:
        raise BadRuleset(
            f"{name}: profile {profile[:40]!r} is none of Windows, or says not whether it is enabled"
        )
    defaults = [_word(one, key).lower() for key in ("DefaultInboundAction", "DefaultOutboundAction")]
    unset = {"notconfigured", "0"}
    if any(word not in _DEFAULTS and word not in unset for word in defaults):
        raise BadRuleset(f"{name}: profile {profile}: the default actions are neither Allow nor Block")
    return WindowsProfile(
        profile,
        enabled,
        _DEFAULTS.get(defaults[0], False),
        _DEFAULTS.get(defaults[1], True),
        shielded=_word(one, "AllowInboundRules").lower() in {"false", "0"},
    )


def _rule(place: str, one: Object) -> Iterator[WindowsRule]:
    title = _word(one, "DisplayName") or _word(one, "Name")
    name = f"{title} ({_word(one, 'Name')})"
    enabled = _ENABLED.get(_word(one, "Enabled").lower())
    direction = _DIRECTIONS.get(_word(one, "Direction").lower())
    allows = _ALLOWS.get(_word(one, "Action").lower())
    if enabled is False:
        return
    if enabled is None or direction is None or allows is None or "Protocol" not in one:
        raise BadRuleset(
            f"{place} ({name[:80]!r}) says not whether it is enabled, its direction, action or protocol"
        )
    yield WindowsRule(
        name,
        direction,
        allows,
        _word(one, "Protocol"),
        _words(one, "LocalAddress"),
        _words(one, "RemoteAddress"),
        _words(one, "LocalPort"),
        _words(one, "RemotePort"),
        _words(one, "IcmpType"),
        _profiles(one),
        overrides=_word(one, "OverrideBlockRules").lower() == "true",
        doubts=tuple(_doubts(one)),
    )


def _profiles(one: Object) -> frozenset[str]:
    text = _word(one, "Profile")
    if text.isdecimal() and len(text) < 6:
        bits = int(text)
        return PROFILES if bits == 0 else frozenset(name for name, bit in _PROFILE_BITS.items() if bits & bit)
    names = frozenset(part.strip() for part in text.split(","))
    return PROFILES if names == {"Any"} else names & PROFILES


def _doubts(one: Object) -> Iterator[str]:
    for key, values in _NARROWING.items():
        if key not in one:
            yield f"{key} was not exported"
            continue
        words = {word.lower() for word in _words(one, key)}
        if not words <= values and words != {"any"}:
            yield f"{key} {', '.join(_words(one, key))[:60]} decides it"
    missing = [
        key
        for key in ("LocalAddress", "RemoteAddress", "LocalPort", "RemotePort", "Profile")
        if key not in one
    ]
    if missing:
        yield f"{', '.join(missing)} was not exported"
