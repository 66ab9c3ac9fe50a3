"""Writes what a check found as text, JSON, JUnit XML and HTML; neighbouring ports with one outcome are one line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from controlroom.network.checks import Answer, Disagreement, Judgement
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import format_ports

FORMATS = ("text", "json", "junit", "html")
_MARKS = {Judgement.AS_NEEDED: "ok", Judgement.NOT_AS_NEEDED: "FAILS", Judgement.UNCERTAIN: "?"}
_STYLE = (
    "body{font:14px/1.45 system-ui,sans-serif;margin:2rem;color:#1b1f24;background:#fff}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d7dce1;"
    "vertical-align:top}th{color:#4a5560;font-weight:600}.fails{color:#a3201b;font-weight:600}.unsure{color:#7a5200}"
    ".ok{color:#14662f}small{color:#4a5560}"
)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check from one source found."""

    site: str
    source: str
    answers: tuple[Answer, ...]
    disagreements: tuple[Disagreement, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Say whether all is as the contract has it, as far as probes can tell."""
        return not self.disagreements and not any(
            one.judgement is Judgement.NOT_AS_NEEDED for one in self.answers
        )


@dataclass(frozen=True, slots=True)
class Line:
    """Answers that differ in their port alone."""

    answers: tuple[Answer, ...]

    @property
    def first(self) -> Answer:
        """The answer that speaks for all."""
        return self.answers[0]

    @property
    def ports(self) -> str:
        """The ports, as people write them."""
        return format_ports(IntervalSet.of((one.question.target.port,) * 2 for one in self.answers))

    @property
    def mark(self) -> str:
        """The judgement as one word."""
        return _MARKS[self.first.judgement]


def lines_of(answers: Sequence[Answer]) -> Iterator[Line]:
    """Yield the answers, those of neighbouring questions with the same outcome together."""
    for _, group in groupby(answers, key=_likeness):
        yield Line(tuple(group))


def _likeness(answer: Answer) -> tuple[str, ...]:
    question = answer.question
    return (
        question.flow,
        question.expectation,
        question.probe.name,
        question.destination,
        question.target.host,
        answer.outcome.verdict,
        answer.judgement,
    )


def summary(report: CheckReport) -> str:
    """Return the outcome in one sentence."""
    counts = {one: sum(answer.judgement is one for answer in report.answers) for one in Judgement}
    state = "as the contract has it" if report.holds else "not as the contract has it"
    parts = [
        f"{counts[Judgement.AS_NEEDED]} as needed",
        f"{counts[Judgement.NOT_AS_NEEDED]} not",
        f"{counts[Judgement.UNCERTAIN]} uncertain",
    ]
    if report.disagreements:
        parts.append(f"{len(report.disagreements)} disagree with the ruleset")
    return f"{report.source} of {report.site}: {state}; {len(report.answers)} probes, {', '.join(parts)}"


def write_check(report: CheckReport, format_name: str) -> str:
    """Return the report in one of `FORMATS`."""
    return {"text": _text, "json": _json, "junit": _junit, "html": _html}[format_name](report)


def _text(report: CheckReport) -> str:
    found = []
    for line in lines_of(report.answers):
        question, outcome = line.first.question, line.first.outcome
        where = f"{question.destination} {question.target.host} {question.probe.transport} {line.ports}"
        head = f"{line.mark:5} {question.flow} -> {where}: {outcome.verdict}, must be {question.expectation}"
        found += [head, f"      {outcome.evidence}"]
        if line.first.advice:
            found.append(f"      try: {line.first.advice}")
    found += [f"DISAGREE {one.message}" for one in report.disagreements]
    found += [f"note: {note}" for note in report.notes]
    return "\n".join([*found, summary(report)]) + "\n"


def _json(report: CheckReport) -> str:
    told = {
        "site": report.site,
        "source": report.source,
        "holds": report.holds,
        "answers": [
            {
                "flow": one.question.flow,
                "purpose": one.question.purpose,
                "destination": one.question.destination,
                "host": one.question.target.host,
                "transport": one.question.probe.transport,
                "port": one.question.target.port,
                "probe": one.question.probe.name,
                "expected": one.question.expectation,
                "verdict": one.outcome.verdict,
                "judgement": one.judgement,
                "evidence": one.outcome.evidence,
                "advice": one.advice,
                "seconds": round(one.outcome.seconds, 4),
            }
            for one in report.answers
        ],
        "disagreements": [
            {"packet": str(one.packet), "rule": one.rule, "message": one.message}
            for one in report.disagreements
        ],
        "notes": list(report.notes),
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _junit(report: CheckReport) -> str:
    cases = []
    for line in lines_of(report.answers):
        question, outcome = line.first.question, line.first.outcome
        name = f"{question.flow} {question.destination} {question.target.host} {question.probe.transport} {line.ports}"
        seconds = sum(one.outcome.seconds for one in line.answers)
        begin = f'  <testcase classname="{_x(report.source)}" name="{_x(name)}" time="{seconds:.3f}"'
        said = _x(f"{outcome.evidence}\n{line.first.advice}")
        if line.first.judgement is Judgement.NOT_AS_NEEDED:
            message = _x(f"{outcome.verdict}, must be {question.expectation}")
            cases.append(f'{begin}><failure message="{message}">{said}</failure></testcase>')
        elif line.first.judgement is Judgement.UNCERTAIN:
            cases.append(f'{begin}><skipped message="{_x(outcome.verdict)}: {said}"/></testcase>')
        else:
            cases.append(f"{begin}/>")
    for one in report.disagreements:
        begin = (
            f'  <testcase classname="{_x(report.source)}" name="{_x(str(one.packet))} against its ruleset">'
        )
        cases.append(
            f'{begin}<failure message="proof and probe disagree">{_x(one.message)}</failure></testcase>'
        )
    failed = sum("<failure" in case for case in cases)
    head = f'<testsuite name="network check" tests="{len(cases)}" failures="{failed}">'
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', head, *cases, "</testsuite>", ""])


def _html(report: CheckReport) -> str:
    rows = []
    for line in lines_of(report.answers):
        question, outcome = line.first.question, line.first.outcome
        kind = {"ok": "ok", "FAILS": "fails", "?": "unsure"}[line.mark]
        advice = f"<br><small>Try: {_x(line.first.advice)}</small>" if line.first.advice else ""
        cells = (
            f'<td class="{kind}">{line.mark}</td>',
            f"<td>{_x(question.flow)}<br><small>{_x(question.purpose)}</small></td>",
            f"<td>{_x(question.destination)}<br><small>{_x(question.target.host)}</small></td>",
            f"<td>{question.probe.transport} {line.ports}</td>",
            f"<td>{question.expectation}</td>",
            f"<td>{outcome.verdict}</td>",
            f"<td>{_x(outcome.evidence)}{advice}</td>",
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    title = _x(f"Check of {report.site} from {report.source}")
    heads = "".join(f"<th>{one}</th>" for one in ("", "Flow", "To", "Port", "Must be", "Is", "Seen by"))
    extra = [f"<li>Proof and probe disagree: {_x(one.message)}</li>" for one in report.disagreements]
    extra += [f"<li>{_x(note)}</li>" for note in report.notes]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1><p>{_x(summary(report))}</p><ul>{''.join(extra)}</ul>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></body></html>\n"
    )


def _x(text: str) -> str:
    """Escape for XML and HTML, without what XML 1.0 cannot hold."""
    return escape("".join(sign for sign in text if sign in "\t\n" or sign >= " "))
