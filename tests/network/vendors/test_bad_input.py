"""Configurations that are cut, huge, hostile or damaged: refused in words, or read, and never a crash."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.errors import BadRuleset, NetworkError
from controlroom.network.proof import prove
from controlroom.network.rulesets import RulesetText, border_rules, parsers

from .sites import TARGETS, TWO, border_of, example, flow, read, rules_text

BORDER = example().border()
RENDERED = {target: rules_text(target, BORDER) for target in TARGETS}
SMALL = border_of(TWO + flow("f", "x", "y", "80"))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.5, 0.9, 0.999])
def test_a_file_cut_off_is_refused_or_is_not_the_policy(target: str, part: float) -> None:
    text = RENDERED[target][: int(len(RENDERED[target]) * part)]

    try:
        held = read(text, target)
    except BadRuleset as error:
        assert "held" in str(error)
    else:
        assert target in {"palo-alto", "fortigate"}
        assert not prove(BORDER, held).holds


@pytest.mark.parametrize("target", ["cisco-ios", "cisco-asa"])
def test_a_cut_cisco_configuration_says_what_to_give(target: str) -> None:
    with pytest.raises(BadRuleset, match=r"cut off, .* is missing \(show running-config\)"):
        read(RENDERED[target][:-20], target)


NESTED = "".join(
    f"object-group network g{n}\n group-object g{n + 1}\n group-object g{n + 1}\n" for n in range(20)
)
ENDS = {"cisco-ios": "end\n", "cisco-asa": ": end\n"}


def test_groups_within_groups_that_double_are_read_once_each() -> None:
    groups = NESTED + "object-group network g20\n host 10.1.0.1\n"
    text = f"{groups}ip access-list extended L\n permit tcp object-group g0 any\nend\n"

    (rule, _) = read(text).programs["forward"].rules  # type: ignore[index]  # a direction is a text

    assert rule.match.sources.v4.size == 1


@pytest.mark.parametrize("depth", [1, 2, 500])
def test_groups_that_hold_themselves_are_refused(depth: int) -> None:
    loop = "".join(f"object-group network g{n}\n group-object g{(n + 1) % depth}\n" for n in range(depth))
    text = f"{loop}ip access-list extended L\n permit tcp object-group g0 any\nend\n"

    with pytest.raises(BadRuleset, match="holds itself, or groups lie more than"):
        read(text)


@pytest.mark.parametrize("target", TARGETS)
def test_other_texts_are_refused_in_words(target: str) -> None:
    for text in (
        "",
        "\n",
        "\x00",
        "hello\n",
        "end\n",
        ": end\n",
        '"',
        "[" * 1000,
        "config a\n" * 1000,
        "set a [ b\n",
        "edit 1\n",
    ):
        with pytest.raises(BadRuleset, match=r"held|cut off"):
            read(text, target)


@pytest.mark.parametrize("target", ["cisco-ios", "cisco-asa"])
def test_endless_lines_are_refused(target: str) -> None:
    with pytest.raises(BadRuleset, match="longer than any configuration"):
        read("access-list 101 permit " + "x" * 100_000 + "\n" + ENDS[target], target)


def test_a_palo_alto_text_without_end_is_refused_at_once() -> None:
    with pytest.raises(BadRuleset, match=r"cut off|longer than any"):
        read('set rulebase security rules a description "' + "x" * 5_000_000, "palo-alto")


def test_far_too_many_rules_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(border_rules, "MOST_RULES", 20)
    for target in TARGETS:
        with pytest.raises(BadRuleset, match=r"\d+ rules are more than the 20 that one device could hold"):
            read(RENDERED[target], target)


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_damaged_renderings_are_refused_or_read_and_never_crash(target: str, data: st.DataObject) -> None:
    whole = rules_text(target, SMALL)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    damaged = whole[:start] + data.draw(st.text(max_size=8)) + whole[end:]

    with contextlib.suppress(NetworkError):
        prove(SMALL, parsers()[target].parse((RulesetText("damaged", damaged),)))


WORDS = [
    "set",
    "edit",
    "next",
    "end",
    "config",
    "unset",
    "firewall",
    "policy",
    "address",
    "address6",
    "addrgrp",
    "member",
    "subnet",
    "ip6",
    "rulebase",
    "security",
    "rules",
    "from",
    "to",
    "source",
    "destination",
    "service",
    "any",
    "action",
    "allow",
    "deny",
    "permit",
    "tcp",
    "udp",
    "ip",
    "icmp",
    "host",
    "eq",
    "range",
    "object-group",
    "network",
    "service",
    "access-list",
    "extended",
    "L",
    "access-group",
    "global",
    "interface",
    "in",
    "out",
    "ip",
    "ipv6",
    "access-list",
    "remark",
    "evaluate",
    "reflect",
    "established",
    "group-object",
    "10.0.0.0",
    "0.0.0.255",
    "255.255.255.0",
    "10.0.0.0/8",
    "2001:db8::/32",
    "80",
    "www",
    "[",
    "]",
    "{",
    "}",
    '"',
    "\\",
    "#",
    "!",
    ":",
    "?",
    "-1",
    "99999999999",
    "²",
    "٣",
    "vdom",
    "port-object",
    "service-object",
    "source",
    "protocol",
    "tcp-portrange",
    "80:90",
    "static",
    "sequence",
    "10",
    "inactive",
    "log",
    "time-range",
    "any4",
    "object",
]


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)), max_size=12)
)
def test_random_commands_are_refused_or_read_and_never_crash(
    target: str, lines: list[tuple[bool, list[str]]]
) -> None:
    heads = {
        "cisco-ios": "ip access-list extended L\n",
        "cisco-asa": "access-list L extended ",
        "palo-alto": "set rulebase security rules r ",
        "fortigate": "config firewall policy\nedit 1\nset ",
    }
    body = "\n".join((" " if inner else "") + " ".join(words) for inner, words in lines)
    text = f"{heads[target]}{body}\n{ENDS.get(target, '')}"

    for tried in (text, body + "\n" + ENDS.get(target, "")):
        with contextlib.suppress(NetworkError):
            prove(SMALL, parsers()[target].parse((RulesetText("hostile", tried),)))
