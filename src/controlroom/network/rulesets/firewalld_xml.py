"""Reads one XML file of firewalld, and refuses what could make a small file large."""

from xml.etree import ElementTree  # nosec B405  # documents with declarations of their own are refused below

from controlroom.network.errors import BadRuleset
from controlroom.network.rulesets.interface import RulesetText

Element = ElementTree.Element


def read_xml(file: RulesetText) -> Element:
    """Return the root of a file; raise `BadRuleset` where it is not plain XML."""
    if "<!DOCTYPE" in file.text or "<!ENTITY" in file.text:
        raise BadRuleset(f"{file.name}: declares a document type, which firewalld's files never do")
    try:
        return ElementTree.fromstring(file.text.encode())  # nosec B314  # without declarations nothing expands  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError) as error:
        raise BadRuleset(f"{file.name}: not XML, or cut off: {error}") from None
