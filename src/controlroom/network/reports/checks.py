"""Writes what a check found as text, JSON, JUnit XML and HTML; neighbouring ports with one outcome are one line."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from controlroom.network.checks import Answer, Disagreement, Judgement
from controlroom.network.intervals import IntervalSet
from controlroom.network.ports import format_ports
from controlroom.network.reports import html
from controlroom.network.reports.html import clean as _x

FORMATS = ("text", "json", "junit", "html")
_MARKS = {Judgement.AS_NEEDED: "ok", Judgement.NOT_AS_NEEDED: "FAILS", Judgement.UNCERTAIN: "?"}
_TONES = {Judgement.AS_NEEDED: "good", Judgement.NOT_AS_NEEDED: "bad", Judgement.UNCERTAIN: "unsure"}


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
        rows.append(
            (
                html.Cell(line.mark, tone=_TONES[line.first.judgement]),
                html.Cell(question.flow, question.purpose),
                html.Cell(question.destination, question.target.host),
                f"{question.probe.transport} {line.ports}",
                str(question.expectation),
                str(outcome.verdict),
                html.Cell(outcome.evidence, f"Try: {line.first.advice}" if line.first.advice else ""),
            )
        )
    columns = ("Outcome", "Flow", "To", "Port", "Must be", "Is", "Seen by")
    disagreed = [f"Proof and probe disagree: {one.message}" for one in report.disagreements]
    return html.document(
        f"Check of {report.site} from {report.source}",
        (
            html.paragraph(summary(report), "good" if report.holds else "bad"),
            html.bullets([*disagreed, *report.notes]),
            html.table(columns, rows, label="Probes"),
        ),
    )
