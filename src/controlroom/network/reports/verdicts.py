"""Writes the outcome of proofs as text, JSON, SARIF 2.1.0, JUnit XML and HTML."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from controlroom.network.proof import Finding, FindingKind, Verdicts
from controlroom.network.reports import html

FORMATS = ("text", "json", "sarif", "junit", "html")
_LEVELS = {
    FindingKind.CLUSTER_EXPOSURE: "error",
    FindingKind.EXCESS: "error",
    FindingKind.MISSING: "error",
    FindingKind.UNKNOWN: "warning",
    FindingKind.SHADOWED: "note",
    FindingKind.REDUNDANT: "note",
}
_TONES = {"error": "bad", "warning": "unsure", "note": ""}

_MEANINGS = {
    FindingKind.CLUSTER_EXPOSURE: "Somebody else than a Control Room server reaches a cluster port.",
    FindingKind.EXCESS: "A packet passes that no flow needs.",
    FindingKind.MISSING: "A packet that a flow needs is stopped.",
    FindingKind.UNKNOWN: "A rule was not understood, and it could change an answer.",
    FindingKind.SHADOWED: "A rule never decides.",
    FindingKind.REDUNDANT: "A rule changes nothing.",
}
_NOT_IN_XML = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Proved:
    """One firewall's outcome under the name of its files; ``files`` are their names one by one, where there are many."""

    name: str
    verdicts: Verdicts
    files: tuple[str, ...] = ()


def write_verdicts(proved: Sequence[Proved], format_name: str) -> str:
    """Return the outcomes in one of `FORMATS`."""
    writers = {"text": _text, "json": _json, "sarif": _sarif, "junit": _junit, "html": _html}
    return writers[format_name](proved)


def _text(proved: Sequence[Proved]) -> str:
    lines: list[str] = []
    for one in proved:
        state = "exactly what the contract needs" if one.verdicts.holds else "not what the contract needs"
        lines.append(f"{one.name}: {state}")
        lines += [
            f"  {finding.kind:17} {finding.direction:9} {finding.message}"
            for finding in one.verdicts.findings
        ]
        lines += [f"  assumed: {sentence}" for sentence in one.verdicts.assumptions]
    return "\n".join(lines) + "\n"


def _json(proved: Sequence[Proved]) -> str:
    found = [
        {
            "name": one.name,
            "holds": one.verdicts.holds,
            "findings": [_finding(finding) for finding in one.verdicts.findings],
            "assumptions": list(one.verdicts.assumptions),
        }
        for one in proved
    ]
    return json.dumps(found, indent=2) + "\n"


def _finding(finding: Finding) -> dict[str, str]:
    return {
        "kind": finding.kind,
        "direction": finding.direction,
        "message": finding.message,
        "rule": finding.rule,
        "flow": finding.flow,
        "packet": str(finding.packet) if finding.packet else "",
        "rewritten": str(finding.rewritten) if finding.rewritten else "",
    }


def _sarif(proved: Sequence[Proved]) -> str:
    results = [
        {
            "ruleId": finding.kind,
            "ruleIndex": list(FindingKind).index(finding.kind),
            "level": _LEVELS[finding.kind],
            "message": {"text": finding.message},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": quote(name)}}}
                for name in one.files or (one.name,)
            ],
            "properties": _finding(finding),
        }
        for one in proved
        for finding in one.verdicts.findings
    ]
    rules = [{"id": kind, "shortDescription": {"text": _MEANINGS[kind]}} for kind in FindingKind]
    assumptions = [sentence for one in proved for sentence in one.verdicts.assumptions]
    run = {
        "tool": {"driver": {"name": "controlroom network verify", "rules": rules}},
        "results": results,
        "properties": {"assumptions": list(dict.fromkeys(assumptions))},
    }
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _junit(proved: Sequence[Proved]) -> str:
    failed = sum(not one.verdicts.holds for one in proved)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines.append(f'<testsuite name="network verify" tests="{len(proved)}" failures="{failed}">')
    for one in proved:
        lines.append(f'  <testcase name="{escape(_printable(one.name))}">')
        if not one.verdicts.holds:
            text = "\n".join(f"{finding.kind}: {finding.message}" for finding in one.verdicts.findings)
            lines.append(
                f'    <failure message="not what the contract needs">{escape(_printable(text))}</failure>'
            )
        assumed = "\n".join(f"assumed: {sentence}" for sentence in one.verdicts.assumptions)
        lines += [f"    <system-out>{escape(_printable(assumed))}</system-out>", "  </testcase>"]
    return "\n".join([*lines, "</testsuite>", ""])


def _html(proved: Sequence[Proved]) -> str:
    parts: list[str] = []
    for one in proved:
        holds = one.verdicts.holds
        state = "exactly what the contract needs" if holds else "not what the contract needs"
        rows = [
            (
                html.Cell(finding.kind, finding.direction, _TONES[_LEVELS[finding.kind]]),
                finding.message,
                str(finding.packet or "–"),
                finding.rule or "–",
            )
            for finding in one.verdicts.findings
        ]
        parts += [html.heading(one.name), html.paragraph(f"This is {state}.", "good" if holds else "bad")]
        if rows:
            parts.append(
                html.table(("Finding", "What", "Witness", "Rule"), rows, label=f"Findings of {one.name}")
            )
        parts += [html.paragraph("The verdict assumes:", "note"), html.bullets(one.verdicts.assumptions)]
    return html.document("Proof of firewalls", parts)


def _printable(text: str) -> str:
    """Drop what XML 1.0 cannot hold (section 2.2)."""
    return _NOT_IN_XML.sub("", text)
