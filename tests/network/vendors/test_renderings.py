"""Renderings for network devices: exactly the policy when read back, stable, within limits, safe with hostile texts."""

import contextlib
import re
from ipaddress import ip_network

import pytest

from controlroom.network.errors import CannotExpress, ProofFailed
from controlroom.network.projection import Scope
from controlroom.network.proof import FindingKind, prove, prove_rendering
from controlroom.network.renderers import RenderedFile, Rendering, fortigate, palo_alto, renderer, renderers

from .sites import EXAMPLES, TARGETS, TWO, beside, border_of, example, flow, host, read, rules_text

BORDERS = [("", ""), ("nodes", "data"), ("clients", "front"), ("runners", "outside")]


def test_registry_finds_every_target_and_each_is_proved() -> None:
    assert set(TARGETS) <= set(renderers())
    assert all(renderer(target).parser == target for target in TARGETS)
    assert all(renderer(target).scopes == {Scope.BORDER} for target in TARGETS)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("site", sorted(path.stem for path in EXAMPLES.glob("*.toml")))
def test_every_rendering_read_back_is_the_policy(site: str, target: str) -> None:
    projection = example(site).border()

    prove_rendering(projection, renderer(target).render(projection))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("first", "second"), BORDERS)
def test_the_file_alone_is_recognised_and_proved(target: str, first: str, second: str) -> None:
    projection = example().border(first, second)

    held = read(rules_text(target, projection))

    assert held.parser == target
    verdicts = prove(projection, held)
    assert verdicts.findings == ()
    assert verdicts.assumptions


@pytest.mark.parametrize("target", TARGETS)
def test_rendering_is_the_same_to_the_byte(target: str) -> None:
    first, second = (renderer(target).render(example().border()) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("target", TARGETS)
def test_every_flow_is_told_with_its_purpose(target: str) -> None:
    projection = example().border()
    text = rules_text(target, projection)

    for permits in projection.permits.values():
        assert permits
        for permit in permits:
            assert f"controlroom: {permit.flow}: {permit.purpose}"[:60] in text


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "change", [("5432", "5433"), ("10.20.3.1", "10.20.3.2"), ("permit|accept|allow", "deny")]
)
def test_a_rendering_that_is_not_the_policy_is_not_shown(target: str, change: tuple[str, str]) -> None:
    projection = example().border()
    rendering = renderer(target).render(projection)
    damaged = tuple(
        RenderedFile(file.name, re.sub(change[0], change[1], file.text), file.is_rules)
        for file in rendering.files
    )

    with pytest.raises(ProofFailed):
        prove_rendering(projection, Rendering(target, damaged))


@pytest.mark.parametrize("target", TARGETS)
def test_a_border_that_nothing_may_cross_lets_nothing_pass(target: str) -> None:
    projection = border_of(TWO)

    prove_rendering(projection, renderer(target).render(projection))


@pytest.mark.parametrize("target", TARGETS)
def test_protocols_stay_apart(target: str) -> None:
    projection = border_of(TWO + flow("f", "x", "y", "88") + flow("g", "x", "y", "88, 464", "udp"))

    prove_rendering(projection, renderer(target).render(projection))


@pytest.mark.parametrize("target", TARGETS)
def test_families_are_never_mixed_in_a_rule(target: str) -> None:
    text = rules_text(target, example().border())

    rules = (
        re.findall(r"edit \d+\n.*?next", text, re.DOTALL)[:-1] if target == "fortigate" else text.splitlines()
    )
    seen = 0
    for rule in rules:
        versions = {int(one) for one in re.findall(r"controlroom-[0-9a-f]+-(?:n|address|group)([46])-", rule)}
        for word in rule.replace("-", " ").split():
            with contextlib.suppress(ValueError):
                versions.add(ip_network(word, strict=False).version)
        assert len(versions) <= 1, rule
        # A policy of FortiGate says its family by the names of its sides, too.
        assert not {"srcaddr", "srcaddr6"} <= set(rule.split())
        seen += len(versions)
    assert seen > 20


@pytest.mark.parametrize("target", TARGETS)
def test_a_host_is_refused(target: str) -> None:
    with pytest.raises(CannotExpress, match="stands between zones, not on host 'node-1'; give --border"):
        renderer(target).render(example().host("node-1"))


@pytest.mark.parametrize("target", TARGETS)
def test_a_side_known_by_name_alone_is_refused(target: str) -> None:
    site = TWO + '[external.post]\nprovider = "Gmail"\nroles = ["mail-server"]\n'

    with pytest.raises(CannotExpress, match=r"only as smtp.gmail.com; give \[external.post\] prefixes"):
        renderer(target).render(border_of(site, "", ""))


HOSTILE = [
    '"; drop',
    "what ? and ! and ^C and : end # or ;",
    "$(reboot) `reboot` | reboot & > x",
    '\\" \\n set action accept',
    "ünï \U0001f600 漢",
    '] any [ " destination any',
    "x" * 200,
    "a  b   c",
]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("purpose", HOSTILE)
def test_hostile_purposes_change_nothing_and_leave_plain_letters(target: str, purpose: str) -> None:
    projection = border_of(TWO + flow("f", "x", "y", "80", purpose=purpose))
    plain = border_of(TWO + flow("f", "x", "y", "80", purpose="p"))

    rendering = renderer(target).render(projection)

    prove_rendering(projection, rendering)
    for file, other in zip(rendering.files, renderer(target).render(plain).files, strict=True):
        assert len(file.text.splitlines()) == len(other.text.splitlines())
        assert file.text.isascii()
    lines = [line for line in rules_text(target, projection).splitlines() if "controlroom: f:" in line]
    assert len(lines) == 2
    for line in lines:
        words = line.partition("controlroom: f:")[2].removesuffix('"')
        assert re.fullmatch(r"[A-Za-z0-9 .,:;()/_+=*-]*", words), words
        assert len(line) < (1024 if target in {"palo-alto", "fortigate"} else 254)


@pytest.mark.parametrize("target", TARGETS)
def test_names_are_within_the_shortest_limits_and_of_letters_that_all_take(target: str) -> None:
    text = rules_text(target, example("thousand-runners").border())
    names = set(re.findall(r"controlroom-[^\s\"]+", text))

    assert names
    for name in names:
        assert re.fullmatch(r"[a-z0-9-]{1,63}", name)
    for name in re.findall(r'set name "([^"]+)"', text):
        assert len(name) <= 35


@pytest.mark.parametrize("target", TARGETS)
def test_another_contract_has_other_names_so_that_nothing_is_merged(target: str) -> None:
    marks = {
        re.findall(
            r"controlroom-[0-9a-f]{8}", rules_text(target, border_of(TWO + flow("f", "x", "y", ports)))
        )[0]
        for ports in ("80", "80-81", "81")
    }

    assert len(marks) == 3


def defined(target: str, text: str) -> list[str]:
    """Return the names of ours that a file defines, in order."""
    if target == "cisco-ios":
        found = re.findall(
            r"^(?:object-group \S+|ip access-list extended|ipv6 access-list) (\S+)", text, re.M
        )
    elif target == "cisco-asa":
        found = re.findall(r"^(?:object-group \S+|access-list) (\S+)", text, re.M)
    elif target == "palo-alto":
        found = re.findall(
            r"^set (?:rulebase security rules|address-group|address|service|tag) (\S+)", text, re.M
        )
    else:
        found = re.findall(r'^    edit "?([^"\n]+)', text, re.M)
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("target", TARGETS)
def test_the_removal_removes_exactly_what_the_rendering_defines_users_first(target: str) -> None:
    projection = example().border()
    text, removal = rules_text(target, projection), beside(target, projection, "remove")
    names = defined(target, text)

    removed = [
        words[-1].strip('"')
        for line in removal.splitlines()
        if (words := line.split()) and words[0] in {"no", "delete", "clear"}
    ]

    assert sorted(removed) == sorted(names)
    # What refers to a name is gone before the name is; lines of one object are joined first.
    bodies = re.split(r"\n(?=\S|    edit)", text)
    for body in bodies:
        used = re.findall(r"controlroom-[\w-]+", body)
        own = next((name for name in used if name in removed), "")
        for other in {name for name in used if name in removed} - {own}:
            if target != "fortigate":
                assert removed.index(own) < removed.index(other), (own, other)


@pytest.mark.parametrize("target", ["palo-alto", "fortigate"])
def test_the_denial_is_removed_first_so_that_no_needed_flow_is_ever_closed(target: str) -> None:
    projection = example().border()
    (first, *_) = [line for line in beside(target, projection, "remove").splitlines() if "delete" in line]

    denial = defined(target, rules_text(target, projection))[-1]

    assert first.endswith(denial)


@pytest.mark.parametrize("target", TARGETS)
def test_the_steps_check_apply_confirm_and_roll_back_with_a_time_limit(target: str) -> None:
    projection = example().border()
    steps = beside(target, projection, "steps")
    mark = re.findall(r"controlroom-[0-9a-f]{8}", rules_text(target, projection))[0]

    for word in ("check", "apply", "confirm", "rollback", mark):
        assert word in steps
    timed = {
        "cisco-ios": "configure terminal revert timer 2",
        "cisco-asa": "reload in 2 noconfirm",
        "palo-alto": "load config from controlroom-before.xml",
        "fortigate": "set cfg-revert-timeout 120",
    }
    assert timed[target] in steps


def test_replies_are_said_where_a_list_has_no_memory() -> None:
    projection = border_of(TWO + flow("f", "x", "y", "80") + flow("g", "x", "y", "53", "udp"))
    text = rules_text("cisco-ios", projection)
    assert text.count(" established\n") == 2
    assert text.count(" reflect ") == text.count(" evaluate ") == 2

    without_tcp = "".join(line for line in text.splitlines(keepends=True) if "established" not in line)
    without_udp = "".join(line for line in text.splitlines(keepends=True) if "evaluate" not in line)

    for damaged, name in ((without_tcp, "f"), (without_udp, "g")):
        findings = prove(projection, read(damaged)).findings
        assert {(one.kind, one.flow) for one in findings} == {(FindingKind.MISSING, name)}
        assert "replies to it are stopped" in findings[0].message


def test_a_stateless_answer_for_udp_would_be_found_as_exposure() -> None:
    projection = border_of(TWO + flow("g", "x", "y", "53", "udp"))
    text = rules_text("cisco-ios", projection)

    open_ = text.replace(" evaluate", " permit udp host 10.2.0.1 eq 53 host 10.1.0.1\n evaluate", 1)

    (finding,) = prove(projection, read(open_)).findings
    assert finding.kind is FindingKind.EXCESS


def crowd(count: int) -> str:
    """Return a host and many that speak to it, whose addresses are not next to each other."""
    clients = "".join(
        host(f"c{number}", "a", f"10.1.{number * 2 // 256}.{number * 2 % 256}", '"bot-runner"')
        for number in range(1, count + 1)
    )
    return host("y", "b", "10.2.0.1") + clients + flow("f", "bot-runner", "y", "80")


@pytest.mark.parametrize("target", ["palo-alto", "fortigate"])
def test_long_groups_become_groups_of_groups(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(palo_alto, "MOST_MEMBERS", 100)
    monkeypatch.setattr(fortigate, "MOST_MEMBERS", 100)
    projection = border_of(crowd(250))

    text = rules_text(target, projection)

    prove_rendering(projection, renderer(target).render(projection))
    for members in re.findall(r"static \[ (.*) \]|set member (.*)", text):
        assert 1 <= len("".join(members).split()) <= 100


def test_more_than_a_platform_takes_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(flow(f"f{number}", "x", "y", str(number + 1)) for number in range(20))
    projection = border_of(TWO + many)
    for module, name in (
        ("cisco_ios", "MOST_ENTRIES"), ("cisco_asa", "MOST_ENTRIES"),
        ("palo_alto", "MOST_RULES"), ("fortigate", "MOST_POLICIES"),
    ):  # fmt: skip
        monkeypatch.setattr(f"controlroom.network.renderers.{module}.{name}", 39)
    for target, what in zip(
        TARGETS,
        ("lines of access lists", "lines of an access list", "security rules", "policies"),
        strict=True,
    ):
        with pytest.raises(CannotExpress, match=rf"\d+ {what} are more than the 39 that the platform takes"):
            renderer(target).render(projection)


def test_palo_alto_refuses_a_service_of_too_many_ports() -> None:
    ports = ", ".join(str(port) for port in range(20000, 20500, 2))

    with pytest.raises(CannotExpress, match="has 250 ranges of ports, more than the 1023 characters"):
        renderer("palo-alto").render(border_of(TWO + flow("f", "x", "y", ports)))


def test_fortigate_numbers_its_policies_apart_from_those_of_the_device() -> None:
    text = rules_text("fortigate", example().border())
    numbers = [int(one) for one in re.findall(r"^    edit (\d+)$", text, re.M)]

    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] > 1_000_000
    assert numbers[-1] < 4_294_967_294
