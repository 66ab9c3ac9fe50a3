"""What devices really hold, form by form: known exactly, or unknown with the reason, never guessed."""

import pytest

from controlroom.network.addresses import Family
from controlroom.network.analysis import Packet, Verdict, judge
from controlroom.network.errors import BadRuleset
from controlroom.network.projection import Direction
from controlroom.network.proof import FindingKind, prove
from controlroom.network.rulesets.cisco_words import NotUnderstood, masked

from .sites import TARGETS, TWO, border_of, crossing, flow, host, read, rules_text

A, B, C = 0x0A010001, 0x0A020001, 0x0A030001


def packet(port: int = 80, protocol: int = 6, source: int = A, destination: int = B) -> Packet:
    return Packet(Family.IPV4, protocol, source, destination, 40000, port)


def verdict(text: str, one: Packet, format_name: str = "") -> tuple[Verdict, str]:
    program = crossing(text, format_name)
    ruling = judge(program, one)
    return ruling.verdict, program.rules[ruling.rule].reason if ruling.rule >= 0 else program.default_name


def ios(*lines: str, before: str = "", after: str = "") -> str:
    body = "".join(f" {line}\n" for line in lines)
    return f"{before}ip access-list extended L\n{body}ipv6 access-list M\n{after}end\n"


def asa(*lines: str, before: str = "", after: str = "access-group L global\n") -> str:
    body = "".join(f"access-list L extended {line}\n" for line in lines)
    return f"{before}{body}{after}: end\n"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("permit tcp any any eq 80 time-range office", "time-range office decides it"),
        ("permit tcp any any eq 80 dscp ef", "dscp ef decides it"),
        ("permit tcp any any eq 80 fragments", "fragments decides it"),
        ("permit tcp any any syn", "syn decides it"),
        ("permit tcp any any eq kerberos", "'kerberos' is no port"),
        ("permit tcp any any eq", "it ends too early"),
        ("permit tcp object-group G any eq 80", "there is no such group 'G'"),
        ("permit tcp any 10.2.0.1 255.85.85.85", "separate bits open"),
        ("permit object-group S any any", "there is no such group 'S'"),
        ("permit martian any any", "'martian' is no protocol that is known"),
        ("permit tcp any any eq 80 whatever", "whatever decides it"),
    ],
)
def test_what_ios_says_besides_makes_a_line_uncertain_with_the_reason(line: str, reason: str) -> None:
    found, why = verdict(ios(line), packet())

    assert found is Verdict.UNKNOWN
    assert reason in why


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("permit tcp any any eq 80 time-range office", "time-range office decides it"),
        ("permit tcp interface outside any eq 80", "interface outside is no address"),
        ("permit tcp user LAB\\me any any eq 80", "user LAB"),
        ("permit tcp object nobody any eq 80", "there is no such group 'nobody'"),
        ("permit tcp object named any eq 80", "fqdn example.org is not an address"),
    ],
)
def test_what_asa_says_besides_makes_a_line_uncertain_with_the_reason(line: str, reason: str) -> None:
    found, why = verdict(asa(line, before="object network named\n fqdn example.org\n"), packet())

    assert found is Verdict.UNKNOWN
    assert reason in why


def test_a_part_of_a_group_that_is_not_known_leaves_the_known_part_certain() -> None:
    groups = "object-group network G\n network-object host 10.1.0.1\n network-object object named\n"
    text = asa(
        "permit tcp object-group G any eq www", before=f"object network named\n fqdn example.org\n{groups}"
    )

    assert verdict(text, packet())[0] is Verdict.ALLOW
    assert verdict(text, packet(source=C))[0] is Verdict.UNKNOWN
    assert verdict(text, packet(443))[0] is Verdict.DENY


def test_masks_with_holes_are_exact_sets_and_too_many_holes_are_not_guessed() -> None:
    assert masked("10.0.0.0", "0.0.0.5", wildcard=True).v4.size == 4
    assert masked("10.0.0.9", "0.0.0.255", wildcard=True).v4.intervals == ((0x0A000000, 0x0A0000FF),)
    assert masked("10.0.0.9", "255.255.255.0", wildcard=False).v4.intervals == ((0x0A000000, 0x0A0000FF),)
    assert masked("0.0.0.0", "255.255.255.255", wildcard=True).v4.size == 1 << 32
    with pytest.raises(NotUnderstood, match="separate bits open"):
        masked("0.0.0.0", "85.85.85.85", wildcard=True)


def test_numbered_and_standard_lists_are_read() -> None:
    numbered = "access-list 101 remark x\naccess-list 101 permit tcp host 10.1.0.1 any eq www log\nend\n"
    standard = (
        "ip access-list standard S\n 10 permit 10.1.0.1\n 20 deny 10.1.0.0 0.0.255.255\n 30 permit any\nend\n"
    )

    assert verdict(numbered, packet())[0] is Verdict.ALLOW
    assert verdict(numbered, packet(81))[0] is Verdict.DENY
    assert verdict(standard, packet(9))[0] is Verdict.ALLOW
    assert verdict(standard, packet(9, source=A + 1))[0] is Verdict.DENY
    assert verdict(standard, packet(9, source=C))[0] is Verdict.ALLOW


def test_services_of_groups_bring_their_protocols_and_ports() -> None:
    group = "object-group service S\n tcp eq 80\n udp range 10 20\n tcp source eq 40000 gt 500\n"
    text = ios("permit object-group S any any", before=group)

    for one, wanted in ((packet(80), True), (packet(81), False), (packet(501), True), (packet(15, 17), True)):
        assert verdict(text, one)[0] is (Verdict.ALLOW if wanted else Verdict.DENY)


WHOLE = "interface Gi0/0\n ip access-group L out\n ipv6 traffic-filter M out\ninterface Gi0/1\n ip access-group L out\n"


def test_a_whole_configuration_says_which_lists_are_asked() -> None:
    other = "ip access-list extended VTY\n permit tcp any any eq 22\n"
    text = ios("permit tcp any any eq 80", before=other, after=f"{WHOLE} ipv6 traffic-filter M out\n")

    assert verdict(text, packet())[0] is Verdict.ALLOW
    assert verdict(text, packet(22))[0] is Verdict.DENY
    assert any("Gi0/0, interface Gi0/1" in one for one in read(text).assumptions)


def test_a_router_whose_lists_lie_nowhere_lets_everything_pass() -> None:
    text = ios("permit tcp any any eq 80", after="interface Gi0/0\n ip address 10.1.0.254 255.255.0.0\n")

    assert verdict(text, packet(22))[0] is Verdict.ALLOW
    assert "No list filters IPv4." in read(text).assumptions


def test_where_it_is_not_known_which_list_a_packet_meets_all_must_agree() -> None:
    second = "ip access-list extended N\n permit tcp any any eq 80\n permit tcp any any eq 443\n"
    placed = "interface Gi0/0\n ip access-group L in\ninterface Gi0/1\n ip access-group N in\n"
    text = ios("permit tcp any any eq 80", before=second, after=placed)

    assert verdict(text, packet(80))[0] is Verdict.ALLOW
    found, why = verdict(text, packet(443))
    assert found is Verdict.UNKNOWN
    assert "which of the lists L, N a packet meets" in why


def test_a_list_on_an_interface_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRuleset, match="'GONE' lies on an interface and is not in the configuration"):
        read(ios("permit tcp any any", after="interface Gi0/0\n ip access-group GONE in\n"))
    with pytest.raises(BadRuleset, match="'GONE' is asked and not in the configuration"):
        read(asa("permit tcp any any", after="access-group GONE global\n"))


def test_several_lists_without_interfaces_are_refused_unless_one_is_ours() -> None:
    second = "ip access-list extended {}\n permit tcp any any eq 443\n"

    with pytest.raises(BadRuleset, match="which of the lists N, L lies on the border"):
        read(ios("permit tcp any any eq 80", before=second.format("N")))
    ours = ios("permit tcp any any eq 80", before=second.format("controlroom-1-v4"))
    assert verdict(ours, packet(443))[0] is Verdict.ALLOW


def test_zone_based_firewalls_beside_the_lists_make_answers_unknown() -> None:
    found, why = verdict(ios("permit ip any any", after=f"{WHOLE} zone-member security inside\n"), packet())

    assert found is Verdict.UNKNOWN
    assert "zone-based firewall decides it too" in why


def test_banners_are_not_read_as_commands() -> None:
    banner = "banner motd ^C\nip access-list extended EVIL\n permit ip any any\n^C\n"

    assert verdict(ios("permit tcp any any eq 80", before=banner), packet(22))[0] is Verdict.DENY


def test_established_lines_let_no_connection_open_and_denied_ones_stop_what_follows() -> None:
    projection = border_of(TWO + flow("f", "x", "y", "80"))
    text = rules_text("cisco-ios", projection)
    first = text.index(" permit tcp host 10.1.0.1")

    damaged = f"{text[:first]} deny tcp any any established\n{text[first:]}"

    findings = prove(projection, read(damaged)).findings
    assert {one.kind for one in findings} == {FindingKind.MISSING}
    assert {("packets after" in one.message, "replies to" in one.message) for one in findings} == {
        (True, False),
        (False, True),
    }


@pytest.mark.parametrize("target", TARGETS)
def test_a_device_is_not_proved_as_a_hosts_own_firewall(target: str) -> None:
    text = rules_text(target, border_of(TWO + flow("f", "x", "y", "80")))
    held = read(text)

    for direction in (Direction.INBOUND, Direction.OUTBOUND):
        program = held.programs[direction]
        assert judge(program, packet()).verdict is Verdict.UNKNOWN
        assert "prove it with --border" in program.rules[0].reason


def test_rules_of_others_that_stand_before_ours_are_found() -> None:
    projection = border_of(TWO + flow("f", "x", "y", "80"))
    opened = {
        "cisco-ios": ("ip access-list extended", " permit tcp any any eq 22\n", 1),
        "cisco-asa": ("access-list", "access-list {} extended permit tcp any any eq 22\n", 0),
        "palo-alto": (
            "set rulebase",
            "set service ssh protocol tcp port 22\nset rulebase security rules old from any to any source any "
            "destination any application any service ssh action allow\n",
            0,
        ),
        "fortigate": (
            "config firewall policy",
            '    edit 7\n set srcintf "any"\n set dstintf "any"\n set srcaddr "all"\n set dstaddr "all"\n set service "ALL"\n'
            ' set schedule "always"\n set action accept\n next\n',
            1,
        ),
    }
    for target, (head, added, after) in opened.items():
        text = rules_text(target, projection)
        place = text.index(head)
        if after:
            place = text.index("\n", place) + 1
        name = text[text.index("controlroom-") :].split()[0]

        findings = prove(projection, read(text[:place] + added.format(name) + text[place:])).findings

        assert any(one.kind is FindingKind.EXCESS for one in findings), target
        if target != "fortigate":
            assert all(one.packet and one.packet.destination_port == 22 for one in findings), target


PALO_HEAD = "set rulebase security rules r from any to any source any destination any service any application any action allow"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("set rulebase security rules r from trust", "from trust decides it"),
        (
            "set rulebase security rules r application [ ssl web-browsing ]",
            "application ssl, web-browsing decides it",
        ),
        ("set rulebase security rules r source-user lab\\me", "source-user"),
        ("set rulebase security rules r rule-type intrazone", "it counts for intrazone traffic alone"),
        ("set rulebase security rules r schedule office", "schedule is not understood"),
        (
            "set rulebase security rules r service application-default",
            "the default ports of applications decide it",
        ),
        ("set rulebase security rules r source gone", "there is no address 'gone'"),
        (
            "set rulebase security rules r source named\nset address named fqdn example.org",
            "named is known only as fqdn",
        ),
        (
            "set rulebase security rules r source g\nset address-group g dynamic filter 'x'",
            "g is not a list of addresses",
        ),
        ("set rulebase security rules r action sometimes", "its action is sometimes"),
    ],
)
def test_what_palo_alto_says_besides_makes_a_rule_uncertain_with_the_reason(
    command: str, reason: str
) -> None:
    head = PALO_HEAD
    for word in ("from", "application", "service", "source"):
        if f" {word} " in command:
            head = head.replace(f"{word} any ", "", 1)

    found, why = verdict(f"{head}\n{command}\n", packet())

    assert found is Verdict.UNKNOWN
    assert reason in why


def test_palo_alto_without_a_last_rule_is_unknown_and_with_any_in_a_list_is_any() -> None:
    text = "set rulebase security rules r from any to any source any destination any service service-http application any action allow\n"

    assert verdict(text, packet(8080))[0] is Verdict.ALLOW
    found, why = verdict(text, packet(22))
    assert found is Verdict.UNKNOWN
    assert "within a zone" in why
    widened = text + "set rulebase security rules r service any\n"
    assert verdict(widened, packet(22))[0] is Verdict.ALLOW


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("set vsys vsys1 rulebase security rules r action allow\nset vsys vsys2 address a ip-netmask 1.2.3.4\n", "are several firewalls"),
        ("set device-group d pre-rulebase security rules r action allow\nset address a ip-netmask 1.2.3.4\n", "Panorama's"),
        ("set shared address a ip-netmask 1.2.3.4\nset vsys v address a ip-netmask 1.2.3.5\n", "is both shared and"),
        ("set address a ip-netmask 1.2.3.4\n", "no security rule is in it"),
        ("set address a ip-netmask 1.2.3.4\nrulebase {\n", "is no set command"),
        ("set address-group a static a\n" + PALO_HEAD.replace("source any", "source a") + "\n", "holds itself"),
    ],
)  # fmt: skip
def test_palo_alto_of_another_kind_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(BadRuleset, match=message):
        read(text, "palo-alto")


FORTI = """\
config firewall policy
    edit 1
        set srcintf "any"
        set dstintf "any"
        set action accept
        set srcaddr "all"
        set dstaddr "all"
        set schedule "always"
        set service "ALL"
    next
end
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('srcintf "any"', 'srcintf "port1"', "srcintf port1 decides it"),
        ('schedule "always"', 'schedule "office"', "schedule office decides it"),
        ('srcaddr "all"', 'srcaddr "gone"', "there is no IPv4 address 'gone'"),
        ('service "ALL"', 'service "gone"', "there is no service 'gone'"),
        ("action accept", "action ipsec", "its action is ipsec"),
        ("action accept", 'action accept\n set groups "staff"', "groups is not understood"),
        ("action accept", "action accept\n set internet-service enable", "internet-service is not understood"),
        ("action accept", "action accept\n set service-negate enable", "all services but those given"),
    ],
)  # fmt: skip
def test_what_fortigate_says_besides_makes_a_policy_uncertain_with_the_reason(
    old: str, new: str, reason: str
) -> None:
    found, why = verdict(FORTI.replace(old, new), packet())

    assert found is Verdict.UNKNOWN
    assert reason in why


def test_fortigate_reads_one_virtual_domain_and_the_older_table_of_ipv6() -> None:
    domain = f"config vdom\nedit root\n{FORTI}next\nend\n"
    six = FORTI.replace("firewall policy", "firewall policy6")
    one = Packet(Family.IPV6, 6, 1, 2, 40000, 80)

    assert verdict(domain, packet())[0] is Verdict.ALLOW
    assert verdict(FORTI, one)[0] is Verdict.DENY
    assert verdict(six, one)[0] is Verdict.ALLOW
    assert verdict(six, packet())[0] is Verdict.DENY
    with pytest.raises(BadRuleset, match="root, other are several firewalls"):
        read(f"config vdom\nedit root\n{FORTI}next\nedit other\n{FORTI}next\nend\n")


def test_fortigate_texts_may_hold_anything_in_quotation_marks() -> None:
    text = FORTI.replace("set action", 'set comments "end\\"\nnext\nedit 5 # \\\\"\n set action')

    assert verdict(text, packet())[0] is Verdict.ALLOW
    assert len(crossing(text).rules) == 1


def test_fortigate_services_that_are_narrowed_are_not_taken_for_wide() -> None:
    service = 'config firewall service custom\nedit "s"\nset tcp-portrange 80{}\nnext\nend\n'
    text = FORTI.replace('"ALL"', '"s"')

    assert verdict(service.format("") + text, packet())[0] is Verdict.ALLOW
    assert verdict(service.format(":1-1023") + text, packet())[0] is Verdict.DENY
    found, why = verdict(service.format("\nset iprange 10.2.0.0-10.2.0.9") + text, packet())
    assert found is Verdict.UNKNOWN
    assert "iprange is not understood" in why


def test_translation_is_named_among_the_assumptions() -> None:
    nat = {
        "cisco-ios": ios("permit ip any any", after="ip nat inside source list L pool P\n"),
        "cisco-asa": asa(
            "permit ip any any", before="object network o\n host 10.1.0.1\n nat (in,out) static 192.0.2.1\n"
        ),
        "palo-alto": f"{PALO_HEAD}\nset rulebase nat rules n source any\n",
        "fortigate": FORTI.replace("set action", "set nat enable\n set action"),
    }
    for target, text in nat.items():
        assert any("translation is not followed" in one for one in read(text, target).assumptions), target


def test_rules_that_do_nothing_are_named() -> None:
    projection = border_of(TWO + host("z", "b", "10.2.0.9") + flow("f", "x", "y", "80"))
    text = rules_text("cisco-asa", projection)
    line = next(one for one in text.splitlines() if " extended permit " in one)

    findings = prove(projection, read(text.replace(line, f"{line}\n{line} log 7")), idle=True).findings

    # Either of two equal lines may go; the later one never decides.
    assert [one.kind for one in findings] == [FindingKind.SHADOWED, FindingKind.REDUNDANT]
    assert "log 7" in findings[0].rule
