"""Linux' hooks: where packets meet chains on their ways through a host, and which packets of a connection are meant."""

from dataclasses import dataclass
from enum import StrEnum

from controlroom.network.projection import Direction
from controlroom.network.rulesets.chains import BaseChain

# Where NAT stands on its hooks, whatever priority an nft chain of type nat has (NF_IP_PRI_NAT_DST, NF_IP_PRI_NAT_SRC).
DESTINATION_NAT, SOURCE_NAT = -100, 100
# Where packets meet connection tracking (NF_IP_PRI_CONNTRACK).
CONNTRACK = -200


class Hook(StrEnum):
    """Where on its way through Linux a packet meets chains."""

    PREROUTING = "prerouting"
    INPUT = "input"
    FORWARD = "forward"
    OUTPUT = "output"
    POSTROUTING = "postrouting"


class Phase(StrEnum):
    """Which packets of a connection are meant: its first, the replies to it, or those that come after it."""

    OPENING = "opening"
    REPLY = "reply"
    SEQUEL = "sequel"


HOOKS = {Direction.INBOUND: Hook.INPUT, Direction.OUTBOUND: Hook.OUTPUT, Direction.FORWARD: Hook.FORWARD}
THROUGH = (Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING)
_IN = (Hook.PREROUTING, Hook.INPUT)
_OUT = (Hook.OUTPUT, Hook.POSTROUTING)
WAYS = {
    Direction.INBOUND: (_IN, _OUT),
    Direction.OUTBOUND: (_OUT, _IN),
    Direction.FORWARD: (THROUGH, THROUGH),
}


@dataclass(frozen=True, slots=True)
class Hooked:
    """A base chain on its hook; one that ``translates`` is asked by first packets alone."""

    base: BaseChain
    hook: Hook
    priority: int
    translates: bool = False
