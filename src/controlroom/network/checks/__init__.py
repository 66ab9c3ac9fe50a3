"""Checks of a living network against the contract: what must be open is probed, and so is what must be closed."""

from controlroom.network.checks.comparing import Disagreement, Firewall, disagreements
from controlroom.network.checks.here import parties_here, source_of
from controlroom.network.checks.judging import Answer, Judgement, judge_all
from controlroom.network.checks.listening import Listening, listen, listening_plan
from controlroom.network.checks.questions import Expectation, Plan, Question, plan_check
from controlroom.network.checks.running import Pace, run_questions

__all__ = [
    "Answer",
    "Disagreement",
    "Expectation",
    "Firewall",
    "Judgement",
    "Listening",
    "Pace",
    "Plan",
    "Question",
    "disagreements",
    "judge_all",
    "listen",
    "listening_plan",
    "parties_here",
    "plan_check",
    "run_questions",
    "source_of",
]
