"""Renders, by the optional library Aerleon, for routers that we have no renderer of our own for. NOT proved.

What Aerleon gets is so plain that its known faults do not bite: a filter for each family, a term for each flow of one
protocol, addresses on both sides. Nothing reads its output back, so that every file says that it is not proved. These
lists have no memory: replies of TCP are let back as established, those of UDP are not, and the file says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module

from controlroom.network.addresses import Family, format_address, prefixes
from controlroom.network.catalogue import Transport
from controlroom.network.errors import CannotExpress, MissingProgram
from controlroom.network.intervals import IntervalSet
from controlroom.network.policy import Permit
from controlroom.network.projection import Projection
from controlroom.network.renderers.border_objects import BORDER, about, crossings, generation, remark
from controlroom.network.renderers.interface import RenderedFile, Rendering, refuse_symbolic

_INET = {Family.IPV4: "inet", Family.IPV6: "inet6"}
_EXTENDED = {Family.IPV4: "extended", Family.IPV6: "inet6"}
_LONGEST_REMARK = 100
_WARNINGS = (
    "NOT PROVED: written by Aerleon and not read back",
    "replies of UDP are not let back: say them by the means of the platform",
)


@dataclass(frozen=True, slots=True)
class AerleonRenderer:
    """One of Aerleon's generators, with the word by which its header names each family."""

    generator: str
    platform: str
    families: dict[Family, str]
    scopes = BORDER
    # Nothing reads the rendering back.
    parser = ""

    @property
    def name(self) -> str:
        """The generator's name behind our word for the library."""
        return f"aerleon:{self.generator}"

    @property
    def title(self) -> str:
        """What the target is, and that nothing is proved."""
        return f"{self.platform} by Aerleon (borders), not proved"

    def render(self, projection: Projection) -> Rendering:
        """Return the filters; raise `MissingProgram` without Aerleon, `CannotExpress` for what it leaves out."""
        refuse_symbolic(projection, self.name)
        permits = crossings(projection)
        words = _Words()
        terms = {family: list(_terms(permits, family, words)) for family in Family}
        mark = generation(permits)
        filters: list[dict[str, object]] = [
            {
                "header": {
                    "targets": {self.generator: f"{mark}-v{family.value} {self.families[family]}"},
                    "comment": "\n".join(_WARNINGS),
                },
                "terms": [*terms[family], {"name": f"deny-v{family.value}", "action": "deny"}],
            }
            for family in Family
        ]
        text = _generate(filters, words)
        for term in (one for family in Family for one in terms[family]):
            if str(term["name"]) not in text:
                raise CannotExpress(f"Aerleon leaves out the term {term['name']} for {self.generator}")
        name = f"{projection.name}-aerleon-{self.generator}-not-proved.txt"
        return Rendering(self.name, (RenderedFile(name, text),))


RENDERER = (
    AerleonRenderer("arista", "Arista EOS", _EXTENDED),
    AerleonRenderer("cisconx", "Cisco NX-OS", _EXTENDED),
    AerleonRenderer("ciscoxr", "Cisco IOS XR", _EXTENDED),
    AerleonRenderer("juniper", "Juniper Junos filters", _INET),
)


@dataclass(slots=True)
class _Words:
    """Names sets of addresses and ports as Aerleon wants its definitions."""

    networks: dict[tuple[Family, IntervalSet], str] = field(default_factory=dict)
    services: dict[tuple[Transport, IntervalSet], str] = field(default_factory=dict)

    def network(self, family: Family, addresses: IntervalSet) -> str:
        return self.networks.setdefault((family, addresses), f"NET{len(self.networks) + 1}")

    def service(self, transport: Transport, ports: IntervalSet) -> str:
        return self.services.setdefault((transport, ports), f"SVC{len(self.services) + 1}")

    def definitions(self) -> dict[str, object]:
        """Return the definitions as the library takes them."""
        networks = {
            name: {
                "values": [
                    {"address": f"{format_address(family, low)}/{length}"}
                    for low, length in prefixes(family, addresses)
                ]
            }
            for (family, addresses), name in self.networks.items()
        }
        services = {
            name: [
                {"protocol": str(transport), "port": str(low) if low == high else f"{low}-{high}"}
                for low, high in ports
            ]
            for (transport, ports), name in self.services.items()
        }
        return {"networks": networks, "services": services}


def _terms(permits: list[Permit], family: Family, words: _Words) -> Iterator[dict[str, object]]:
    for number, one in enumerate(permits, start=1):
        if one.family is not family:
            continue
        sides = (words.network(family, one.sources), words.network(family, one.destinations))
        service = words.service(one.transport, one.ports)
        # Some platforms end a comment at a star and a slash.
        text = remark(about(one).replace("*", " "), _LONGEST_REMARK)
        yield {
            "name": f"rule-{number}-v{family.value}",
            "comment": text,
            "source-address": sides[0],
            "destination-address": sides[1],
            "destination-port": service,
            "protocol": str(one.transport),
            "action": "accept",
        }
        if one.transport is Transport.TCP:
            yield {
                "name": f"back-{number}-v{family.value}",
                "source-address": sides[1],
                "destination-address": sides[0],
                "source-port": service,
                "protocol": "tcp",
                "option": "tcp-established",
                "action": "accept",
            }


def _generate(filters: list[dict[str, object]], words: _Words) -> str:
    try:
        api, naming = import_module("aerleon.api"), import_module("aerleon.lib.naming")
    except ImportError:
        raise MissingProgram("this target needs Aerleon: pip install 'controlroom[aerleon]'") from None
    definitions = naming.Naming()
    try:
        definitions.ParseDefinitionsObject(words.definitions(), "")
        found = api.Generate([{"filename": "controlroom", "filters": filters}], definitions)
    except Exception as error:
        # The library raises errors of many kinds, plain ones among them.
        raise CannotExpress(f"Aerleon refuses: {type(error).__name__}: {error}"[:300]) from error
    if not found or len(found) != 1:
        raise CannotExpress("Aerleon wrote nothing")
    return str(next(iter(found.values())))
