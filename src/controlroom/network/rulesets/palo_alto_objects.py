"""Addresses, services and groups of PAN-OS."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from controlroom.network.addresses import only, parse_range
from controlroom.network.analysis import Protocol
from controlroom.network.errors import BadRuleset
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import ALL_PORTS
from controlroom.network.rulesets.cloud_rules import Service, Side, doubtful, port_set
from controlroom.network.rulesets.named_objects import Resolver, all_services, all_sides, unknown_side
from controlroom.network.rulesets.palo_alto_text import values

_TCP, _UDP = (IntervalSet.single(one) for one in (Protocol.TCP, Protocol.UDP))
# Services that the platform has of itself.
_PREDEFINED = {
    "any": Service(),
    "service-http": Service(_TCP, IntervalSet(((80, 80), (8080, 8080)))),
    "service-https": Service(_TCP, IntervalSet.single(443)),
    "application-default": doubtful("the default ports of applications decide it"),
}
_LISTS = frozenset({"static", "members", "tag"})


@dataclass
class Objects:
    """The named objects of a configuration, as they are read."""

    _settings: dict[tuple[str, str], dict[str, list[str]]] = field(default_factory=dict)
    _scopes: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, scope: str, kind: str, name: str, words: list[str]) -> None:
        """Take what a command says about an object; raise `ValueError` for one that is cut off.

        Of two objects of one name, one of them shared, rules mean the nearer one: raise `BadRuleset`.
        """
        if self._scopes.setdefault((kind, name), scope) != scope:
            raise BadRuleset(f"{kind} {name[:80]!r} is both shared and a virtual system's own")
        settings = self._settings.setdefault((kind, name), {})
        if kind == "service" and words[:1] == ["protocol"] and len(words) > 1:
            settings["protocol"] = [words[1]]
            words = words[2:]
        place = 0
        while place < len(words):
            key = words[place]
            if key == "dynamic":
                settings[key] = words[place + 1 :]
                return
            found, place = values(words, place + 1)
            settings[key] = [*settings.get(key, []), *found] if key in _LISTS else found

    def services_of(self, names: Sequence[str]) -> tuple[Service, ...]:
        """Return the services that a rule names."""
        if not names:
            return (doubtful("its service is not given"),)
        return all_services(service for name in names for service in self.service(name))

    @cached_property
    def side(self) -> Resolver[Side]:
        """Resolves the addresses of a name, or of an address that a rule gives itself."""
        return Resolver(self._side)

    @cached_property
    def service(self) -> Resolver[tuple[Service, ...]]:
        """Resolves the services of a name."""
        return Resolver(self._service)

    def _side(self, name: str) -> Side:
        if (found := self._settings.get(("address-group", name))) is not None:
            if "static" not in found:
                return unknown_side(f"group {name} is not a list of addresses")
            return all_sides(self.side(member) for member in found["static"])
        found = self._settings.get(("address", name))
        if found is None:
            return _literal(name, f"there is no address {name[:80]!r}")
        if "ip-netmask" in found:
            return _literal(found["ip-netmask"][0], f"{name} is no address")
        if "ip-range" in found:
            return _literal(found["ip-range"][0], f"{name} is no range")
        return unknown_side(f"{name} is known only as {', '.join(found)[:60] or 'a name'}")

    def _service(self, name: str) -> tuple[Service, ...]:
        if (found := self._settings.get(("service-group", name))) is not None:
            return all_services(service for one in found.get("members", []) for service in self.service(one))
        found = self._settings.get(("service", name))
        if found is None:
            return (_PREDEFINED.get(name) or doubtful(f"there is no service {name[:80]!r}"),)
        return tuple(_plain_service(name, found))


def _plain_service(name: str, found: dict[str, list[str]]) -> Iterator[Service]:
    protocol = {"tcp": _TCP, "udp": _UDP}.get("".join(found.get("protocol", [])))
    ports, source_ports = (
        port_set(part for text in found[key] for part in text.split(",")) if key in found else ALL_PORTS
        for key in ("port", "source-port")
    )
    if protocol is None or "port" not in found or ports is None or source_ports is None:
        yield doubtful(f"service {name} is not understood")
    else:
        yield Service(protocol, ports, source_ports)


def _literal(text: str, reason: str) -> Side:
    base, slash, length = text.partition("/")
    try:
        if not slash:
            family, low, high = parse_range(text)
        else:
            # Bits behind the length count for nothing, as on the device.
            family, value, _ = parse_range(base)
            if "-" in base or not length.isascii() or not length.isdecimal() or int(length[:4]) > family.bits:
                return unknown_side(reason)
            free = (1 << (family.bits - int(length))) - 1
            low, high = value & ~free, value | free
    except ValueError:
        return unknown_side(reason)
    return Side(only(family, IntervalSet(((low, high),))))
