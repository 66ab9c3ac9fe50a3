"""Parsers: composition of chains, three-valued answers, and bad input that never crashes them."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset, NetworkError
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Direction, Projector
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset, parsers
from controlroom.network.site import read_site

NODE = Projector(
    derive_policy(read_site(Path(__file__).resolve().parents[2] / "examples/network/five-nodes.toml"))
).host("node-1")


def nft(*chains: tuple[str, int, str, list[list[dict[str, object]]]]) -> Ruleset:
    """Build nft JSON from chains given as name, priority (-1000 for none), policy and rules' expressions."""
    objects: list[dict[str, object]] = []
    for name, priority, policy, rules in chains:
        place = {"family": "inet", "table": "t"}
        base = (
            {}
            if priority == -1000
            else {"type": "filter", "hook": "input", "prio": priority, "policy": policy}
        )
        objects.append({"chain": {**place, "name": name, **base}})
        objects += [{"rule": {**place, "chain": name, "expr": rule}} for rule in rules]
    return parse_ruleset((RulesetText("nft.json", json.dumps({"nftables": objects})),))


def port(number: int) -> dict[str, object]:
    return {
        "match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": number}
    }


def verdict(ruleset: Ruleset, number: int, family: Family = Family.IPV4) -> Verdict:
    packet = Packet(family, 6, 5, 6, 40000, number)
    return judge(ruleset.programs[Direction.INBOUND], packet).verdict


ACCEPT: dict[str, object] = {"accept": None}
DROP: dict[str, object] = {"drop": None}
RETURN: dict[str, object] = {"return": None}


def test_an_accept_ends_its_own_base_chain_only() -> None:
    ruleset = nft(("early", -10, "accept", [[port(80), ACCEPT]]), ("late", 10, "drop", []))

    assert verdict(ruleset, 80) is Verdict.DENY


def test_chains_jump_return_and_go_to() -> None:
    ruleset = nft(
        (
            "base",
            0,
            "drop",
            [[port(80), {"jump": {"target": "web"}}], [{"goto": {"target": "rest"}}], [ACCEPT]],
        ),
        ("web", -1000, "", [[port(80), RETURN], [ACCEPT]]),
        ("rest", -1000, "", [[port(80), ACCEPT], [port(22), DROP]]),
    )

    assert verdict(ruleset, 80) is Verdict.ALLOW
    assert verdict(ruleset, 22) is Verdict.DENY
    # After a goto the calling chain is over: its last accept is never reached, its policy is.
    assert verdict(ruleset, 443) is Verdict.DENY


@pytest.mark.parametrize("flags", ["new", ["established", "new"], {"set": ["new", "related"]}])
def test_both_shapes_of_flags_are_read(flags: object) -> None:
    state = {"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": flags}}

    assert verdict(nft(("base", 0, "drop", [[state, ACCEPT]])), 80) is Verdict.ALLOW


def test_a_doubt_that_changes_nothing_is_no_unknown() -> None:
    strange: dict[str, object] = {"match": {"op": "==", "left": {"fib": {"result": "oif"}}, "right": "x"}}
    ruleset = nft(("base", 0, "drop", [[strange, ACCEPT], [port(80), ACCEPT]]))

    assert verdict(ruleset, 80) is Verdict.ALLOW
    assert verdict(ruleset, 81) is Verdict.UNKNOWN


def test_chains_that_call_each_other_are_refused() -> None:
    with pytest.raises(BadRuleset, match="16 jumps deep"):
        nft(("base", 0, "drop", [[{"jump": {"target": "base"}}]]))


IPTABLES = """\
*filter
:INPUT DROP [0:0]
:web - [0:0]
-A INPUT -s 0.0.0.0/0 -p tcp -m multiport --dports 80,443,8000:8010 -j web
-A INPUT -p tcp -m tcp --dport 22 -m time --timestart 08:00 -j ACCEPT
-A web ! -s 0.0.0.5/32 -j RETURN
-A web -j ACCEPT
COMMIT
"""


def test_iptables_save_is_read_and_a_missing_family_is_unknown() -> None:
    ruleset = parse_ruleset((RulesetText("rules.v4", IPTABLES),))

    assert [verdict(ruleset, number) for number in (80, 8005, 8011)] == ["allow", "allow", "deny"]
    assert verdict(ruleset, 22) is Verdict.UNKNOWN
    assert verdict(ruleset, 80, Family.IPV6) is Verdict.UNKNOWN


def test_iptables_chains_return_to_the_line_behind_the_jump() -> None:
    ruleset = parse_ruleset((RulesetText("rules.v4", IPTABLES.replace("0.0.0.5", "0.0.0.6")),))

    assert verdict(ruleset, 80) is Verdict.DENY


def test_a_file_cut_in_half_is_refused() -> None:
    (rules, *_) = renderer("nftables").render(NODE).files
    for text in (
        IPTABLES[: len(IPTABLES) // 2],
        rules.text[: len(rules.text) // 2],
        '{"nftables": [{"chain"',
    ):
        with pytest.raises(BadRuleset):
            parse_ruleset((RulesetText("half", text),))


def test_what_no_parser_recognises_is_refused_with_the_known_formats() -> None:
    with pytest.raises(BadRuleset, match=r"iptables, .*nftables"):
        parse_ruleset((RulesetText("notes.txt", "hello"),))


@pytest.mark.parametrize("target", ["nftables", "iptables"])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_damaged_rulesets_are_refused_or_read_and_never_crash(target: str, data: st.DataObject) -> None:
    files = [file for file in renderer(target).render(NODE).files if file.is_rules]
    texts = []
    for file in files:
        start = data.draw(st.integers(0, len(file.text)))
        end = data.draw(st.integers(start, min(len(file.text), start + 40)))
        texts.append(
            RulesetText(file.name, file.text[:start] + data.draw(st.text(max_size=8)) + file.text[end:])
        )

    with contextlib.suppress(NetworkError):
        assert parsers()[target].parse(tuple(texts)).programs


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["inet", "input", "filter", "accept"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "chain",
                        "rule",
                        "set",
                        "expr",
                        "match",
                        "left",
                        "right",
                        "payload",
                        "name",
                        "hook",
                        "elem",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_hostile_json_is_refused_or_read_and_never_crashes(value: object) -> None:
    text = json.dumps({"nftables": [value, {"rule": {"expr": [value]}}, {"chain": value}]})

    with contextlib.suppress(NetworkError):
        assert parsers()["nftables"].parse((RulesetText("hostile", text),)).programs
