"""The parts that the product is made of, read from what is installed: Python packages and the UI's own third-party files."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

import controlroom

_PRODUCT = "controlroom"
_MANIFEST = Path(controlroom.__file__).parent / "web" / "vendor" / "manifest.json"
_LICENCE_CLASSIFIER = "License :: "
_LONGEST_NAME = 80
_LINK = re.compile(
    r"^\s*(home-?page|homepage|source|source code|repository)\s*,\s*(https?://\S+)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part: ``kind`` says whether it is a Python package or a file that browsers get. ``licence`` may be ``unknown``."""

    name: str
    version: str
    licence: str
    kind: str
    address: str = ""


@cache
def installed_parts() -> Sequence[Part]:
    """Return the product and all that it needs, by name. Reads many small files: call it off the loop."""
    found = [_part(each) for each in _closure(_PRODUCT)]
    return sorted([*found, *_vendored()], key=lambda part: (part.name != _PRODUCT, part.name.lower()))


def _closure(name: str) -> Iterator[Distribution]:
    waiting, seen = [name], set[str]()
    while waiting:
        wanted = _canonical(waiting.pop())
        if wanted in seen:
            continue
        seen.add(wanted)
        try:
            found = distribution(wanted)
        except PackageNotFoundError:
            continue  # for another system or Python
        yield found
        waiting += [each.name for each in _requirements(found)]


def _requirements(found: Distribution) -> Iterator[Requirement]:
    for line in found.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _part(found: Distribution) -> Part:
    told = found.metadata
    links = [_told(found, "Home-page"), *(told.get_all("Project-URL") or ())]
    return Part(told["Name"], found.version, _licence(found), "Python package", _address(links))


def _licence(found: Distribution) -> str:
    told = found.metadata
    if expression := _told(found, "License-Expression"):
        return expression
    classified = [
        line.rpartition(" :: ")[2]
        for line in told.get_all("Classifier") or ()
        if line.startswith(_LICENCE_CLASSIFIER) and line.count(" :: ") > 1
    ]
    if classified:
        return ", ".join(classified)
    first = _told(found, "License").splitlines()
    return first[0][:_LONGEST_NAME] if first else "unknown"


def _told(found: Distribution, name: str) -> str:
    return str(found.metadata[name]).strip() if name in found.metadata else ""


def _address(links: Sequence[str]) -> str:
    for link in links:
        if link.startswith(("https://", "http://")):
            return link
        if named := _LINK.match(link):
            return named[2]
    return ""


def _vendored() -> Iterator[Part]:
    for facts in json.loads(_MANIFEST.read_text("utf-8")).values():
        yield Part(facts["package"], facts["version"], facts["licence"], "in the browser")


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
