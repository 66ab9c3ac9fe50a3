"""Windows Firewall: its precedence, what makes a rule uncertain, and scripts that are PowerShell and nothing else."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_sitter import Language, Node, Parser
from tree_sitter_powershell import language

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.proof import prove
from controlroom.network.renderers import renderer
from controlroom.network.rulesets import Ruleset, RulesetText, parse_ruleset, parsers
from controlroom.network.rulesets.windows_powershell import read_table
from controlroom.network.rulesets.windows_table import WindowsRule

from .sites import EXAMPLES, hostile, projector, rendered

NODE = projector().host("node-1")
POWERSHELL = Parser(Language(language()))


def profiles(**values: object) -> list[dict[str, object]]:
    base = {
        "Enabled": "True",
        "DefaultInboundAction": "Block",
        "DefaultOutboundAction": "Allow",
        "AllowInboundRules": "True",
    }
    return [{"Name": name, **base, **values} for name in ("Domain", "Private", "Public")]


def rule(action: str = "Allow", **values: object) -> dict[str, object]:
    return {
        "Name": "r",
        "DisplayName": "Rule",
        "Enabled": "True",
        "Profile": "Any",
        "Direction": "Inbound",
        "Action": action,
        "Protocol": "TCP",
        "LocalPort": ["80"],
        "RemotePort": ["Any"],
        "IcmpType": ["Any"],
        "DynamicTarget": "Any",
        "LocalAddress": ["Any"],
        "RemoteAddress": ["Any"],
        "Program": "Any",
        "Package": "",
        "Service": "Any",
        "InterfaceAlias": ["Any"],
        "InterfaceType": "Any",
        "Authentication": "NotRequired",
        "Encryption": "NotRequired",
        "OverrideBlockRules": "False",
        "LocalUser": "Any",
        "RemoteUser": "Any",
        "RemoteMachine": "Any",
        **values,
    }


def exported(rules: list[dict[str, object]], around: list[dict[str, object]] | None = None) -> Ruleset:
    text = json.dumps({"Profiles": profiles() if around is None else around, "Rules": rules})
    return parse_ruleset((RulesetText("held.json", text),))


def verdict(ruleset: Ruleset, port: int = 80, *, protocol: int = 6, direction: str = "inbound") -> str:
    packet = Packet(Family.IPV4, protocol, 1, 2, 40_000, port)
    return judge(ruleset.programs[Direction(direction)], packet).verdict


def test_bypass_over_block_over_allow_whatever_the_order() -> None:
    allow, block = rule(), rule("Block")
    bypass = rule(OverrideBlockRules="True")

    for rules in ([allow, block], [block, allow]):
        assert verdict(exported(rules)) is Verdict.DENY
        assert verdict(exported([*rules, bypass])) is Verdict.ALLOW
    # As Windows has it, such a rule asks for IPsec, and that is not known of a packet.
    secure = rule(OverrideBlockRules="True", Authentication="Required")
    assert verdict(exported([allow, block, secure])) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Program", "C:\\x.exe"),
        ("Service", "TermService"),
        ("Package", "S-1-15-2-1"),
        ("InterfaceAlias", ["Ethernet"]),
        ("InterfaceType", "Wireless"),
        ("LocalUser", "D:(A;;CC;;;S-1)"),
        ("RemoteUser", "D:(A;;CC;;;S-1)"),
        ("RemoteMachine", "D:(A;;CC;;;S-1)"),
        ("Authentication", "Required"),
        ("Encryption", "Required"),
        ("RemoteAddress", ["LocalSubnet"]),
        ("LocalPort", ["RPC"]),
        ("Profile", "Domain"),
        ("Profile", "Domain, Private"),
        ("Profile", 1),
        ("Protocol", "odd"),
    ],
)
def test_what_narrows_a_rule_makes_it_uncertain_and_is_named(key: str, value: object) -> None:
    ruleset = exported([rule(**{key: value})])

    assert verdict(ruleset) is Verdict.UNKNOWN
    (found,) = ruleset.programs[Direction.INBOUND].rules[:1]
    named = value[0] if isinstance(value, list) else str(value).split(",")[0]
    assert key in found.reason or named in found.reason or "profile Domain" in found.reason


def test_a_property_that_was_not_exported_makes_a_rule_uncertain() -> None:
    for key in ("Service", "RemoteAddress", "Profile"):
        found = rule()
        del found[key]
        assert verdict(exported([found])) is Verdict.UNKNOWN


def test_disabled_rules_and_other_directions_do_nothing() -> None:
    assert verdict(exported([rule(Enabled="False")])) is Verdict.DENY
    assert verdict(exported([rule(Enabled=2)])) is Verdict.DENY
    assert verdict(exported([rule(Direction="Outbound")])) is Verdict.DENY
    assert verdict(exported([rule(Enabled=1, Direction=1, Action=2, Profile=0)])) is Verdict.ALLOW


def test_profiles_decide_what_no_rule_does() -> None:
    assert verdict(exported([]), direction="outbound") is Verdict.ALLOW
    assert (
        verdict(exported([], profiles(DefaultOutboundAction="Block")), direction="outbound") is Verdict.DENY
    )
    assert verdict(exported([], profiles(DefaultInboundAction="NotConfigured"))) is Verdict.DENY
    assert verdict(exported([rule("Block")], profiles(Enabled="False"))) is Verdict.ALLOW
    assert verdict(exported([rule()], profiles(AllowInboundRules="False"))) is Verdict.DENY
    mixed = profiles()
    mixed[2]["Enabled"] = "False"
    assert verdict(exported([], mixed)) is Verdict.UNKNOWN
    assert verdict(exported([rule()], mixed)) is Verdict.ALLOW


def test_addresses_ports_and_types_are_read_as_windows_prints_them() -> None:
    assert (
        verdict(exported([rule(RemoteAddress="0.0.0.0/255.255.255.0", LocalPort=["1-79", "80"])]))
        is Verdict.ALLOW
    )
    assert verdict(exported([rule(RemoteAddress=["0.0.0.2-0.0.0.9"])])) is Verdict.DENY
    assert verdict(exported([rule(LocalAddress=["::/64"])])) is Verdict.DENY
    ping = rule(Protocol="ICMPv4", LocalPort="Any", IcmpType=["8:*"])
    assert [verdict(exported([ping]), kind, protocol=1) for kind in (8, 9)] == ["allow", "deny"]
    assert (
        verdict(exported([rule(Protocol="1", LocalPort="Any", IcmpType="3:4")]), 3, protocol=1)
        is Verdict.UNKNOWN
    )


@pytest.mark.parametrize("target", ["windows", "netsh"])
def test_our_rules_exported_from_windows_are_the_policy(target: str) -> None:
    """The table of the rendering, printed as an export prints it, is read as the same packets."""
    _, found = read_table(rendered("windows", NODE))
    rules = [as_exported(one) for one in found]

    ruleset = exported(rules, profiles(DefaultOutboundAction="Block"))

    assert ruleset.parser == "windows"
    assert prove(NODE, ruleset).findings == ()
    own = parse_ruleset(rendered(target, NODE))
    assert len(own.programs[Direction.INBOUND].rules) >= len(ruleset.programs[Direction.INBOUND].rules)


def as_exported(one: WindowsRule) -> dict[str, object]:
    return rule(
        Name=one.name,
        Direction=one.direction.capitalize(),
        Protocol=one.protocol,
        LocalAddress=list(one.local_addresses),
        RemoteAddress=list(one.remote_addresses),
        LocalPort=list(one.local_ports),
        RemotePort=list(one.remote_ports),
        IcmpType=list(one.icmp_types),
    )


def faults(node: Node) -> Iterator[str]:
    if node.type == "ERROR" or node.is_missing:
        yield f"{node.start_point}: {node.text!r}"
    for child in node.children:
        yield from faults(child)


@pytest.mark.parametrize("site", sorted(path.stem for path in EXAMPLES.glob("*.toml")))
def test_a_grammar_of_powershell_accepts_rules_and_script(site: str) -> None:
    one = projector(site)
    for name in [host.name for host in one.policy.site.hosts][:4]:
        for file in renderer("windows").render(one.host(name)).files:
            assert list(faults(POWERSHELL.parse(file.text.encode()).root_node)) == []


@pytest.mark.parametrize(
    "purpose", ["'; Stop-Computer", "\u2018; Stop-Computer", "$(Stop-Computer)", "`n Stop-Computer", "@' x"]
)
def test_a_grammar_of_powershell_finds_no_other_command_than_ours(purpose: str) -> None:
    (rules, script) = renderer("windows").render(hostile(purpose).host("a")).files
    assert list(faults(POWERSHELL.parse(rules.text.encode()).root_node)) == []

    commands = set(command_names(POWERSHELL.parse(rules.text.encode()).root_node))

    assert commands == {"Remove-NetFirewallRule", "Set-NetFirewallProfile", "New-NetFirewallRule", "Out-Null"}
    assert rules.text.isascii()
    assert script.text.isascii()


def command_names(node: Node) -> Iterator[str]:
    if node.type == "command_name":
        yield node.text.decode() if node.text else ""
    for child in node.children:
        yield from command_names(child)


def test_the_grammar_is_no_yes_man() -> None:
    assert list(faults(POWERSHELL.parse(b"New-NetFirewallRule -Name 'open | Out-Null\n").root_node))


@pytest.mark.parametrize(
    "line",
    [
        "Stop-Computer",
        "New-NetFirewallRule -DisplayName x -Action Allow",
        "Set-NetFirewallProfile -PolicyStore localhost -Name @('Domain', 'Private', 'Public') -Enabled False",
        "Remove-NetFirewallRule -PolicyStore localhost -Group 'controlroom' -ErrorAction SilentlyContinue",
        "# fine \u2028 Stop-Computer",
        "#\rStop-Computer",
        "advfirewall reset",
        "advfirewall set store local",
        "advfirewall set allprofiles state off",
        'advfirewall firewall add rule name="other" dir=in action=allow',
    ],
)
@pytest.mark.parametrize("target", ["windows", "netsh"])
def test_a_line_that_is_not_ours_is_refused(target: str, line: str) -> None:
    (file,) = rendered(target, NODE)

    with pytest.raises(BadRuleset):
        parsers()[renderer(target).parser].parse((RulesetText(file.name, f"{file.text}{line}\n"),))


def test_netsh_lines_are_no_longer_than_a_command_may_be() -> None:
    for site in ("five-nodes", "thousand-runners"):
        one = projector(site)
        for name in [host.name for host in one.policy.site.hosts][:12]:
            (file,) = rendered("netsh", one.host(name))
            assert max(map(len, file.text.splitlines())) < 8191
            assert file.text.isascii()


@pytest.mark.parametrize(
    "text",
    [
        '{"Profiles": [], "Rules": [], "DefaultInboundAction": 1}',
        '{"Profiles": 3, "Rules": [3], "DefaultInboundAction": 1}',
        '{"Profiles": [{"Name": "Domain", "DefaultInboundAction": "Odd"}], "Rules": []}',
        '{"Profiles": [{"DefaultInboundAction"',
        "[" * 100_000,
    ],
)
def test_malformed_exports_are_refused(text: str) -> None:
    with pytest.raises(BadRuleset):
        parsers()["windows"].parse((RulesetText("held.json", text),))


PORTS = st.sampled_from([["Any"], ["80"], ["79-81"], ["81", "90"]])
ADDRESSES = st.sampled_from([["Any"], ["0.0.0.1"], ["0.0.0.0/30"], ["0.0.0.2-0.0.0.9"], ["::1"]])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda action, local, remote, ports, protocol, bypass: (
                action,
                local,
                remote,
                ports,
                protocol,
                bypass,
            ),
            st.sampled_from(["Allow", "Block"]),
            ADDRESSES,
            ADDRESSES,
            PORTS,
            st.sampled_from(["TCP", "UDP", "Any"]),
            st.booleans(),
        ),
        max_size=5,
    )
)
def test_random_tables_are_judged_by_precedence(
    table: list[tuple[str, list[str], list[str], list[str], str, bool]],
) -> None:
    rules = []
    for action, local, remote, ports, protocol, bypass in table:
        kept = ports if protocol != "Any" else ["Any"]
        overrides = str(bypass and action == "Allow")
        rules.append(
            rule(
                action,
                LocalAddress=local,
                RemoteAddress=remote,
                LocalPort=kept,
                Protocol=protocol,
                OverrideBlockRules=overrides,
            )
        )
    ruleset = exported(rules)

    for source in (0, 1, 2, 5, 9, 10):
        for port in (78, 80, 81, 90):
            packet = Packet(Family.IPV4, 6, source, 1, 40_000, port)
            met = [one for one in rules if matches(one, source, port)]
            if any(one["OverrideBlockRules"] == "True" for one in met):
                wanted = Verdict.ALLOW
            elif any(one["Action"] == "Block" for one in met) or not met:
                wanted = Verdict.DENY
            else:
                wanted = Verdict.ALLOW
            assert judge(ruleset.programs[Direction.INBOUND], packet).verdict is wanted


def matches(one: dict[str, object], source: int, port: int) -> bool:
    def within(words: object, value: int) -> bool:
        known = {
            "Any": range(10**6),
            "0.0.0.1": [1],
            "0.0.0.0/30": range(4),
            "0.0.0.2-0.0.0.9": range(2, 10),
            "::1": [],
        }
        return any(value in known[word] for word in words)  # type: ignore[attr-defined]

    ports = one["LocalPort"]
    named = {"Any": range(10**6), "80": [80], "79-81": range(79, 82), "81": [81], "90": [90]}
    return (
        one["Protocol"] in {"TCP", "Any"}
        and within(one["LocalAddress"], 1)
        and within(one["RemoteAddress"], source)
        and any(port in named[word] for word in ports)  # type: ignore[attr-defined]
    )
