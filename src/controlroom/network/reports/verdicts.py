"""Writes the outcome of proofs as text, JSON, SARIF 2.1.0, JUnit XML and HTML."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

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


@dataclass(frozen=True, slots=True)
class Proved:
    """One firewall's outcome under the name of its files."""

    name: str
    verdicts: Verdicts


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
    }


def _sarif(proved: Sequence[Proved]) -> str:
    results = [
        {
            "ruleId": finding.kind,
            "level": _LEVELS[finding.kind],
            "message": {"text": finding.message},
            "locations": [{"physicalLocation": {"artifactLocation": {"uri": one.name}}}],
        }
        for one in proved
        for finding in one.verdicts.findings
    ]
    driver = {"name": "controlroom network verify", "rules": [{"id": kind} for kind in FindingKind]}
    run = {"tool": {"driver": driver}, "results": results}
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
        lines.append("  </testcase>")
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
    """Drop what XML 1.0 cannot hold."""
    return "".join(sign for sign in text if sign in "\t\n" or sign >= " ")
