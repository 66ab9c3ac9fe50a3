"""Says of each outcome whether it is as the contract has it, and what to try next."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from controlroom.network.checks.questions import Expectation, Question
from controlroom.network.probes import Outcome, Verdict


class Judgement(StrEnum):
    """Whether an outcome is as the contract has it; uncertain where no probe alone could tell."""

    AS_NEEDED = "as needed"
    NOT_AS_NEEDED = "not as needed"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Answer:
    """A question with its outcome, the judgement and, where there is something to do, the next thing to try."""

    question: Question
    outcome: Outcome
    judgement: Judgement
    advice: str = ""


_SILENT = {
    Verdict.FILTERED,
    Verdict.PROHIBITED,
    Verdict.UNREACHABLE,
    Verdict.NO_UDP_ANSWER,
    Verdict.NAME_ERROR,
}


def judge_all(questions: Sequence[Question], outcomes: Sequence[Outcome]) -> list[Answer]:
    """Return the answers in order. Of a range of ports one that is open is enough: the others may have nobody."""
    pairs = list(zip(questions, outcomes, strict=True))
    lively = {_group(one) for one, outcome in pairs if one.in_range and outcome.verdict is Verdict.OPEN}
    return [_judge(one, outcome, lively=_group(one) in lively) for one, outcome in pairs]


def _group(question: Question) -> tuple[str, str, str]:
    return question.flow, question.destination, question.target.host


def _judge(question: Question, outcome: Outcome, *, lively: bool) -> Answer:
    verdict = outcome.verdict
    if question.expectation is Expectation.CLOSED:
        if verdict in _SILENT:
            return Answer(question, outcome, Judgement.AS_NEEDED)
        if verdict is Verdict.REFUSED:
            return Answer(
                question,
                outcome,
                Judgement.UNCERTAIN,
                f"nothing listens, or a firewall sends the reset: run check --listen on {question.destination} "
                f"and ask again, or prove its rules with verify",
            )
        return Answer(
            question,
            outcome,
            Judgement.NOT_AS_NEEDED,
            f"the contract closes this port to this host; close it on {question.destination} or on the border "
            f"before it, and prove the rules with verify",
        )
    if verdict is Verdict.OPEN or (verdict is Verdict.REFUSED and question.in_range and lively):
        return Answer(question, outcome, Judgement.AS_NEEDED)
    return Answer(question, outcome, Judgement.NOT_AS_NEEDED, advice(question, outcome))


def advice(question: Question, outcome: Outcome) -> str:
    """Return the next thing to try for a flow that does not work."""
    there, title = question.destination, question.probe.title
    port = "one of these ports" if question.in_range else f"port {question.target.port}"
    return {
        Verdict.OPEN: "",
        Verdict.WRONG_PROTOCOL: (
            f"packets pass; see on {there} what listens on {port} (ss -tlnp), and whether a proxy or inspecting "
            f"firewall between speaks for it: {title} was expected"
        ),
        Verdict.TLS_ERROR: (
            f"packets pass; see the certificate and TLS settings of {there}, and whether a proxy between shows its own"
        ),
        Verdict.REFUSED: (
            f"packets arrive; start {title} on {there}, {port}, or see whether it listens on another address; "
            f"before installation run check --listen there"
        ),
        Verdict.PROHIBITED: (
            "a firewall refuses on purpose; the evidence names the machine: render and apply its rules, or verify them"
        ),
        Verdict.FILTERED: (
            f"something drops the packets: verify the rules of this host, of {there} and of the border between; then "
            f"trace (nft monitor trace) on each in turn"
        ),
        Verdict.UNREACHABLE: f"no route or nobody at that address: see ip route get {question.target.host}, and {there} itself",
        Verdict.NO_UDP_ANSWER: (
            f"UDP cannot tell a drop from a silent server: see whether {title} runs on {there}, then verify the rules "
            f"between; ask also over TCP where the protocol has it"
        ),
        Verdict.NAME_ERROR: "see the name in the site, /etc/resolv.conf, and the flows to the name servers first",
    }[outcome.verdict]
