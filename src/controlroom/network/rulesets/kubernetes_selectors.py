"""Label selectors as far as they speak of the site's hosts by our label."""

from collections.abc import Mapping
from enum import Enum

from controlroom.network.renderers.kubernetes_policies import HOST_LABEL
from controlroom.network.rulesets.cloud_files import listed


class Choice(Enum):
    """Whether a selector picks a host's pod."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def selects(selector: object, host: str) -> Choice:
    """Say whether a selector picks the pod of a host; without a host, only one that picks every pod is sure."""
    if isinstance(selector, Mapping) and not any(selector.values()):
        return Choice.YES
    hosts = hosts_of(selector)
    if hosts is None or not host:
        # Another label may or may not be there; our own label, where it is asked too, can rule the pod out.
        asked = _asked(selector)
        return Choice.NO if host and asked is not None and host not in asked else Choice.UNKNOWN
    return Choice.YES if host in hosts else Choice.NO


def hosts_of(selector: object) -> set[str] | None:
    """Return the hosts that a selector names by our label alone; none where it asks for anything else."""
    if not isinstance(selector, Mapping) or selector.keys() - {"matchLabels", "matchExpressions"}:
        return None
    labels, expressions = selector.get("matchLabels") or {}, listed(selector.get("matchExpressions"))
    if not isinstance(labels, Mapping) or set(labels) - {HOST_LABEL}:
        return None
    if not all(isinstance(one, Mapping) and one.get("key") == HOST_LABEL for one in expressions):
        return None
    if not all(isinstance(one, Mapping) and one.get("operator") == "In" for one in expressions):
        return None
    return _asked(selector)


def _asked(selector: object) -> set[str] | None:
    """Return the values of our label that a selector lets through; none where it does not ask for it."""
    if not isinstance(selector, Mapping):
        return None
    found: list[set[str]] = []
    labels = selector.get("matchLabels")
    if isinstance(labels, Mapping) and HOST_LABEL in labels:
        found.append({str(labels[HOST_LABEL])})
    for one in listed(selector.get("matchExpressions")):
        if isinstance(one, Mapping) and one.get("key") == HOST_LABEL and one.get("operator") == "In":
            found.append({str(value) for value in listed(one.get("values"))})
    return set.intersection(*found) if found else None
