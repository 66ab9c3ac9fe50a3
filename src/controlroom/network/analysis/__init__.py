"""The proof engine: exact answers about packets, with the deciding rule and a packet that witnesses each one."""

from controlroom.network.analysis.diagram import DEFAULT_BUDGET
from controlroom.network.analysis.model import (
    Effect,
    Field,
    Match,
    Packet,
    Program,
    Protocol,
    Rewrite,
    Rule,
    Ruling,
    Verdict,
    decide,
    judge,
)
from controlroom.network.analysis.questions import (
    Comparison,
    Difference,
    Engine,
    Idle,
    compare,
    find_idle,
    find_stopped,
    sources_that_pass,
)

__all__ = [
    "DEFAULT_BUDGET",
    "Comparison",
    "Difference",
    "Effect",
    "Engine",
    "Field",
    "Idle",
    "Match",
    "Packet",
    "Program",
    "Protocol",
    "Rewrite",
    "Rule",
    "Ruling",
    "Verdict",
    "compare",
    "decide",
    "find_idle",
    "find_stopped",
    "judge",
    "sources_that_pass",
]
