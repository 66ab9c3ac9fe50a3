"""What people write reaches every renderer as text only: hostile names are refused, hostile purposes stay comments."""

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlroom.network.errors import BadSite, CannotExpress, MissingProgram
from controlroom.network.policy import derive_policy
from controlroom.network.projection import Projection, Projector, Scope
from controlroom.network.proof import prove_rendering
from controlroom.network.renderers import Rendering, renderer, renderers
from controlroom.network.site import parse_site

SITE = """\
name = "plant"

[options]
identity = "local"
database = "sqlite"
messaging = "memory"
cache = "memory"
search = "sql"
tls_only = true

[zone.desk]
prefixes = ["10.1.0.0/28"]
roles = ["administrator"]

[zone.servers]
prefixes = ["10.0.0.0/24"]

[host.control]
zone = "servers"
addresses = ["10.0.0.11"]
roles = ["control-room"]

[flow.extra]
from = ["desk"]
to = ["control"]
ports = 3200
purpose = PURPOSE
"""
# Of what a file says, by which some platforms tell one load from the next.
DIGEST = re.compile(r"controlroom-[0-9a-f]{8}|(?<=delete )[0-9]+")
HARMLESS = "Readers read what is written"
PURPOSES = [
    '"; drop',
    "'; reboot; '",
    "$(reboot) `reboot` ${reboot} %PATH%",
    "*/ flush ruleset /*",
    "--> ]]> <!-- <x y='z'>",
    "ends with a backslash \\",
    "{{ name }} {% x %} #{x} #cloud",
    "! exit # comment; permit ip any any",
    '"}, {"Effect": "Allow"',
    "@'\n'@".replace("\n", " "),
    "Größe → 東京, \N{GREEK SMALL LETTER ALPHA}",
    "x" * 200,
]
HOSTILE_NAMES = [
    '"; drop',
    "a b",
    "a\nb",
    "$(reboot)",
    "../../etc",
    "-rf",
    "имя",
    "a\u202eb",
    "a" * 64,
    "x;y",
    "%00",
    "",
]


def quoted(text: str) -> str:
    """Return a text as a TOML basic string."""
    return (
        '"' + "".join(f"\\U{ord(sign):08x}" if sign in '"\\' or sign < " " else sign for sign in text) + '"'
    )


def place_of(target: str, purpose: str) -> Projection:
    projector = Projector(derive_policy(parse_site(SITE.replace("PURPOSE", quoted(purpose)))))
    return projector.host("control") if Scope.HOST in renderer(target).scopes else projector.border()


def rendered(target: str, purpose: str) -> Rendering:
    try:
        return renderer(target).render(place_of(target, purpose))
    except MissingProgram as missing:
        pytest.skip(str(missing))


def check(target: str, purpose: str) -> None:
    """The rules are the policy still, no line was added, and no script carries what somebody wrote."""
    try:
        hostile = rendered(target, purpose)
    except CannotExpress as refused:
        assert target in str(refused) or "purpose" in str(refused)  # refusing is right too
        return
    # Words of the same lengths are wrapped in the same places by renderers that wrap.
    harmless = rendered(target, re.sub(r"[^ ]", "x", purpose))
    prove_rendering(place_of(target, purpose), hostile)
    for file, like in zip(hostile.files, harmless.files, strict=True):
        assert file.name == like.name
        assert file.text.count("\n") == like.text.count("\n")
        assert re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", file.text) is None
        if not file.is_rules:
            assert DIGEST.sub("", file.text) == DIGEST.sub("", like.text)


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("target", sorted(renderers()))
def test_a_hostile_purpose_is_text_to_every_renderer(target: str, purpose: str) -> None:
    check(target, purpose)


@pytest.mark.parametrize("target", sorted(renderers()))
def test_any_purpose_that_a_site_takes_is_text_to_every_renderer(target: str) -> None:
    rendered(target, HARMLESS)

    @settings(max_examples=25, deadline=None)
    @given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), min_size=1, max_size=60))
    def every(purpose: str) -> None:
        check(target, purpose)

    every()


@pytest.mark.parametrize("target", sorted(renderers()))
def test_scripts_are_shell_that_parses(target: str) -> None:
    for file in rendered(target, PURPOSES[2]).files:
        if file.executable and file.name.endswith(".sh"):
            found = subprocess.run(["sh", "-n"], input=file.text, text=True, capture_output=True, check=False)
            assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@pytest.mark.parametrize("kind", ["zone", "host", "fleet", "balancer", "external", "flow"])
def test_a_hostile_name_is_refused_before_any_renderer(kind: str, name: str) -> None:
    table = f'\n[{kind}.{quoted(name)}]\nzone = "servers"\naddresses = ["10.0.0.12"]\n'
    with pytest.raises(BadSite, match=r"cannot be a name|did you mean|known are"):
        parse_site(SITE.replace("PURPOSE", quoted(HARMLESS)) + table)


@pytest.mark.parametrize("key", ["names", "service_tag"])
@pytest.mark.parametrize("name", HOSTILE_NAMES[:-1])
def test_hostile_host_names_and_tags_of_externals_are_refused(key: str, name: str) -> None:
    value = f"[{quoted(name)}]" if key == "names" else quoted(name)
    with pytest.raises(BadSite, match="cannot be a name"):
        parse_site(SITE.replace("PURPOSE", quoted(HARMLESS)) + f"\n[external.x]\n{key} = {value}\n")


@pytest.mark.parametrize(
    "mark", ["\u202e", "\u2066", "\u200b", "\u2028", "\ufeff", "\x1b", "\x00", "\n", "\x9b"]
)
def test_marks_that_hide_or_turn_text_are_refused_in_purposes(mark: str) -> None:
    purpose = f'"a\\U{ord(mark):08x}b"'
    with pytest.raises(BadSite, match="one line"):
        parse_site(SITE.replace("PURPOSE", purpose))
