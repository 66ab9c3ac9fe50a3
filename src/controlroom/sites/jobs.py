"""What can be asked of the network contract: each job is a function from plain data to plain data.

They run in a process of their own (`worker`), so they may take long and fail; what they refuse is a `NetworkError`.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from controlroom.network.checks import Pace, judge_all, parties_here, plan_check, run_questions
from controlroom.network.errors import BadRuleset, CannotExpress, NetworkError
from controlroom.network.policy import Policy, derive_policy
from controlroom.network.probes import Limits
from controlroom.network.projection import Projection, Projector, Scope
from controlroom.network.proof import prove, prove_rendering
from controlroom.network.renderers import renderer, renderers
from controlroom.network.reports.changes import changes_between
from controlroom.network.reports.checks import CheckReport, write_check
from controlroom.network.reports.diagram import draw
from controlroom.network.reports.verdicts import Proved, write_verdicts
from controlroom.network.reports.zones import flows_between_zones, zones_of
from controlroom.network.rulesets import RulesetText, parse_ruleset, parsers
from controlroom.network.site import parse_site

Data = dict[str, Any]

BORDER = "border"
"""The place of a firewall that stands between zones; every other place is a host's name."""

_PROBE_SECONDS = 2.0
_MOST_CLOSED = 60


def overview(asked: Mapping[str, Any]) -> Data:
    """Return what a site holds and allows: zones, hosts, flows of each pair of zones, the diagram."""
    policy = _policy(asked["text"])
    pairs = flows_between_zones(policy)
    return {
        "name": policy.site.name,
        "zones": zones_of(policy),
        "hosts": [
            {"name": host.name, "zone": host.zone, "system": str(host.system or "")}
            for host in policy.site.hosts
        ],
        "parties": len(policy.site.parties),
        "pairs": [
            {"source": source, "destination": destination, "flows": [asdict(row) for row in rows]}
            for (source, destination), rows in pairs.items()
        ],
        "notes": list(policy.notes),
        "diagram": draw(policy, styled=False),
        "styled_diagram": draw(policy),
        "here": [party.name for party in parties_here(policy.site)],
    }


def compare(asked: Mapping[str, Any]) -> Data:
    """Return what opens and what closes from the site ``before`` to the site ``text``."""
    after = _policy(asked["text"])
    changes = changes_between(_policy(asked["before"]), after)
    return {
        "changes": [
            {"kind": str(one.kind), "flow": one.flow, "words": one.words, "example": one.example}
            for one in changes
        ],
        "notes": list(after.notes),
        "name": after.site.name,
    }


def targets(asked: Mapping[str, Any]) -> Data:
    """Return every kind of firewall that rules can be written for, and every kind whose rules can be read."""
    return {
        "targets": [
            {"name": name, "title": one.title, "scopes": sorted(one.scopes), "proved": bool(one.parser)}
            for name, one in renderers().items()
        ],
        "formats": list(parsers()),
    }


def render(asked: Mapping[str, Any]) -> Data:
    """Return the rules of one place for one target, proved where the target's rules can be read back."""
    chosen = renderer(asked["target"])
    place = asked["place"]
    scope = Scope.BORDER if place == BORDER else Scope.HOST
    if scope not in chosen.scopes:
        instead = "the border between the zones" if scope is Scope.HOST else "a host"
        raise CannotExpress(f"{chosen.title} stands on {instead} only; choose {instead}")
    projection = _projection(_policy(asked["text"]), place)
    rendering = chosen.render(projection)
    prove_rendering(projection, rendering)
    return {
        "proved": bool(chosen.parser),
        "files": [
            {"name": file.name, "text": file.text, "executable": file.executable} for file in rendering.files
        ],
    }


def verify(asked: Mapping[str, Any]) -> Data:
    """Return the proof's verdict on the files of one firewall at one place."""
    files = tuple(RulesetText(file["name"], file["text"]) for file in asked["files"])
    if not files:
        raise BadRuleset("there is no file to prove; give what the firewall holds")
    projection = _projection(_policy(asked["text"]), asked["place"])
    ruleset = parse_ruleset(files, format_name=asked.get("format", ""))
    verdicts = prove(projection, ruleset, idle=bool(asked.get("idle")))
    (found,) = json.loads(write_verdicts([Proved(", ".join(file.name for file in files), verdicts)], "json"))
    return {**found, "format": ruleset.parser, "nodes": verdicts.nodes}


def probe(asked: Mapping[str, Any]) -> Data:
    """Probe the flows of the host of the site that this machine is, and ports that must be closed to it."""
    policy = _policy(asked["text"])
    here = parties_here(policy.site)
    if len(here) != 1:
        found = ", ".join(party.name for party in here) or "none"
        raise NetworkError(
            f"this server is not one host of the site (found {found}); run 'controlroom network check' on a host "
            "of the site and give its report"
        )
    (source,) = here
    plan = plan_check(policy, source, most_closed=_MOST_CLOSED)
    limits = Limits(connect_seconds=_PROBE_SECONDS, answer_seconds=_PROBE_SECONDS)
    outcomes = asyncio.run(run_questions(plan.questions, limits, Pace()))
    answers = tuple(judge_all(plan.questions, outcomes))
    report = CheckReport(policy.site.name, source.name, answers, (), plan.notes)
    written: Data = json.loads(write_check(report, "json"))
    return written


JOBS: Mapping[str, Callable[[Mapping[str, Any]], Data]] = {
    "overview": overview,
    "compare": compare,
    "targets": targets,
    "render": render,
    "verify": verify,
    "probe": probe,
}


def _policy(text: str) -> Policy:
    return derive_policy(parse_site(text, file="site.toml"))


def _projection(policy: Policy, place: str) -> Projection:
    if not place:
        raise NetworkError("say which firewall this is: a host's name, or border")
    projector = Projector(policy)
    return projector.border() if place == BORDER else projector.host(place)
