"""What the renderings for clouds share: JSON that people can read, names and texts that providers take, chunks."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from json.encoder import encode_basestring

from controlroom.network.addresses import Family
from controlroom.network.errors import CannotExpress
from controlroom.network.intervals import union
from controlroom.network.policy import Permit
from controlroom.network.projection import Direction, Projection
from controlroom.network.renderers.interface import TAG

# Enough of a digest to keep shortened names of one site apart.
_DIGEST_LENGTH = 8
_REQUIRED_TERRAFORM = ">= 1.5"


def write_json(value: object, depth: int = 0) -> str:
    """Write dictionaries, lists and plain values as JSON, two spaces a level, lists of plain values on one line.

    The standard writer takes ten times as long where it indents.
    """
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict) and value:
        inner = "  " * (depth + 1)
        lines = [
            f"{inner}{encode_basestring(key)}: {write_json(one, depth + 1)}" for key, one in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{'  ' * depth}}}"
    if isinstance(value, list | tuple):
        if not any(isinstance(one, dict | list | tuple) for one in value):
            return "[" + ", ".join([write_json(one) for one in value]) + "]"
        inner = "  " * (depth + 1)
        return (
            "[\n" + ",\n".join([inner + write_json(one, depth + 1) for one in value]) + f"\n{'  ' * depth}]"
        )
    return "null" if value is None else json.dumps(value)


def safe_name(name: str, *, odd: str, longest: int) -> str:
    """Return a name in lower case without what ``odd`` (a regular expression) finds, at most ``longest`` long.

    A name that had to change carries a digest of what it was, so that two names never become one.
    """
    plain = re.sub(odd, "-", name.lower()).rstrip("-")
    if plain == name and len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST_LENGTH]
    return f"{plain[: longest - _DIGEST_LENGTH - 1].rstrip('-._')}-{digest}"


def comment(text: str) -> str:
    """Return a text that stays one comment in every language: no control sign, no line end, no byte order mark."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", " ", text)


def description(text: str, *, odd: str, longest: int) -> str:
    """Return a text as a provider takes it: other signs than its own become a space, and a long one is cut."""
    plain = re.sub(odd, " ", text)
    return plain if len(plain) <= longest else plain[: longest - 3].rstrip() + "..."


def chunks(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """Cut a list into parts of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def port_ranges(low_high: tuple[int, int]) -> str:
    """Write one port or range as all clouds do."""
    low, high = low_high
    return str(low) if low == high else f"{low}-{high}"


def terraform_text(text: str) -> str:
    """Return a text in which Terraform finds no template: ``${`` and ``%{`` are doubled."""
    return text.replace("${", "$${").replace("%{", "%%{")


def grouped(projection: Projection, direction: Direction) -> list[Permit]:
    """Return the permits of a direction, those of one flow that differ by who is on the other side made one."""
    groups: dict[tuple[object, ...], list[Permit]] = {}
    for one in projection.permits[direction]:
        near = one.destinations if direction is Direction.INBOUND else one.sources
        groups.setdefault((one.flow, one.family, one.transport, one.ports, near), []).append(one)
    return [_joined(permits) for permits in groups.values()]


def _joined(permits: list[Permit]) -> Permit:
    if len(permits) == 1:
        return permits[0]
    return replace(
        permits[0],
        sources=union(one.sources for one in permits),
        destinations=union(one.destinations for one in permits),
        source_names=tuple(dict.fromkeys(name for one in permits for name in one.source_names)),
        destination_names=tuple(dict.fromkeys(name for one in permits for name in one.destination_names)),
    )


def terraform_name(projection: Projection) -> str:
    """Return the name of a host's resource, which Terraform wants without dots."""
    return f"{TAG}_{safe_name(projection.name, odd=r'[^a-z0-9_-]', longest=80)}"


def terraform_file(comment: str, resource_type: str, resources: Mapping[str, object]) -> str:
    """Write a Terraform file in its JSON syntax, whose comments are properties named ``//``."""
    return write_json({"//": terraform_text(comment), "resource": {resource_type: dict(resources)}}) + "\n"


def terraform_variables(provider: str, source: str, version: str, variables: Mapping[str, str]) -> str:
    """Write the file of variables and provider, the same for every host, so that many hosts share a folder."""
    declared = {name: {"type": "string", "description": text} for name, text in sorted(variables.items())}
    needs = {
        "required_version": _REQUIRED_TERRAFORM,
        "required_providers": {provider: {"source": source, "version": version}},
    }
    return write_json({"terraform": needs, "variable": declared}) + "\n"


def summary(projection: Projection) -> str:
    """Return the line that heads every file."""
    return f"controlroom: firewall of {projection.scope} {projection.name} in site {projection.site}. Default deny."


def family_word(family: Family) -> str:
    """Return how names of rules say a family, which no rule ever mixes."""
    return f"v{family.value}"


def refuse_more_than(limit: int, found: int, what: str, mend: str) -> None:
    """Raise `CannotExpress` with both numbers where a provider's limit is passed."""
    if found > limit:
        raise CannotExpress(f"{found:,} {what} are more than the {limit:,} that the platform takes; {mend}")
