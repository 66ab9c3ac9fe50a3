"""One rule of a rendering damaged at random, in nft's language and in iptables'."""

import random
import re
from collections.abc import Callable

Texts = tuple[str, ...]
_RULE = re.compile(r"\b(accept|drop|ACCEPT|DROP)\b")
_PORT = re.compile(r"(dports? )(\d+)((?:[-:])\d+)?(?=[ ,])")
_ADDRESS = re.compile(r"(?:\b10\.\d+\.\d+\.\d+|\bfd77:\d+::\d+)(?![\d/.:-])")


def widen_ports(line: str, chance: random.Random) -> str:
    sign = ":" if "dport " in line and line.startswith("-A") else "-"
    if "multiport" in line:
        sign = ":"
    return _PORT.sub(
        lambda one: f"{one[1]}{max(1, int(one[2]) - chance.randint(1, 9))}{sign}{int(one[2]) + 70}",
        line,
        count=1,
    )


def shift_ports(line: str, chance: random.Random) -> str:
    return _PORT.sub(
        lambda one: f"{one[1]}{int(one[2]) + chance.choice([-1, 1])}{one[3] or ''}", line, count=1
    )


def narrow_ports(line: str, chance: random.Random) -> str:
    return _PORT.sub(lambda one: f"{one[1]}{one[2]}", line, count=1)


def widen_prefix(line: str, chance: random.Random) -> str:
    found = list(_ADDRESS.finditer(line))
    if not found:
        return line
    one = chance.choice(found)
    wide = _network(one[0], chance.choice([24, 16]) if "." in one[0] else chance.choice([64, 32]))
    return line[: one.start()] + wide + line[one.end() :]


def narrow_prefix(line: str, chance: random.Random) -> str:
    found = list(_ADDRESS.finditer(line))
    if not found:
        return line
    one = chance.choice(found)
    step = chance.choice([-1, 1])
    other = re.sub(r"\d+$", lambda last: str(int(last[0]) + step), one[0])
    return line[: one.start()] + other + line[one.end() :]


def flip_verdict(line: str, chance: random.Random) -> str:
    other = {"accept": "drop", "drop": "accept", "ACCEPT": "DROP", "DROP": "ACCEPT"}
    return _RULE.sub(lambda one: other[one[0]], line, count=1)


def swap_protocol(line: str, chance: random.Random) -> str:
    other = {"tcp": "udp", "udp": "tcp"}
    return re.sub(r"\b(tcp|udp)\b(?= dport| -m| --dport)", lambda one: other[one[0]], line)


def change_family(line: str, chance: random.Random) -> str:
    """Say the same rule about the hosts' addresses in the other family; every host has both, alike."""
    line = re.sub(r"\b10\.77\.(\d+)\.(\d+)", r"FD\1::\2", line)
    line = re.sub(r"\bfd77:(\d+)::(\d+)", r"10.77.\1.\2", line).replace("FD", "fd77:")
    return re.sub(r"\bip(6?) (saddr|daddr)", lambda one: f"ip{'' if one[1] else '6'} {one[2]}", line)


CHANGES: dict[str, Callable[[str, random.Random], str]] = {
    "widen ports": widen_ports,
    "shift ports": shift_ports,
    "narrow ports": narrow_ports,
    "widen prefix": widen_prefix,
    "narrow prefix": narrow_prefix,
    "flip verdict": flip_verdict,
    "swap protocol": swap_protocol,
    "change family": change_family,
    "delete": lambda line, chance: "",
    "move": lambda line, chance: line,
}


def damage(texts: Texts, chance: random.Random) -> tuple[str, str, Texts]:
    """Return the kind of damage, the line that it befell, and the texts with it; texts of iptables are of two families."""
    while True:
        which = chance.randrange(len(texts))
        lines = texts[which].splitlines()
        rules = [
            number
            for number, line in enumerate(lines)
            if _RULE.search(line) and "policy" not in line and line[:1] not in ":#"
        ]
        number = chance.choice(rules)
        line = lines[number]
        kind = chance.choice(list(CHANGES))
        after = CHANGES[kind](line, chance)
        moved = list(lines)
        if kind == "move":
            del moved[number]
            moved.insert(
                chance.choice([one for one in rules if _chain(lines, one) == _chain(lines, number)]), line
            )
        elif kind == "change family" and len(texts) == 2:
            return kind, line, _to_other_family(texts, which, number, after)
        else:
            moved[number] = after
        if moved != lines:
            changed = list(texts)
            changed[which] = "\n".join(moved) + "\n"
            return kind, line, tuple(changed)


def _to_other_family(texts: Texts, which: int, number: int, after: str) -> Texts:
    changed = [text.splitlines() for text in texts]
    del changed[which][number]
    chain = after.split()[1]
    at = next(place for place, line in enumerate(changed[1 - which]) if line.startswith(f"-A {chain} "))
    changed[1 - which].insert(at + 2, after)
    return tuple("\n".join(lines) + "\n" for lines in changed)


def _chain(lines: list[str], number: int) -> str:
    if lines[number].startswith("-A"):
        return lines[number].split()[1]
    return next(line for line in reversed(lines[:number]) if "chain " in line)


def _network(address: str, length: int) -> str:
    if "." in address:
        parts = address.split(".")
        return ".".join(parts[: length // 8] + ["0"] * (4 - length // 8)) + f"/{length}"
    return f"fd77:{address.split(':')[1]}::/64" if length == 64 else "fd77::/16"
