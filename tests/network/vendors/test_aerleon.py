"""Aerleon's renderings: never taken for proved, complete as far as a look at them can tell, and safe."""

import builtins
import importlib
import re
from types import ModuleType

import pytest

from controlroom.network.errors import CannotExpress, MissingProgram
from controlroom.network.projection import Direction, Scope
from controlroom.network.proof import prove_rendering
from controlroom.network.renderers import renderer, renderers

from .sites import TWO, border_of, example, flow

OTHERS = sorted(name for name in renderers() if name.startswith("aerleon:"))


def test_each_says_that_it_is_not_proved_in_its_title_its_file_and_the_name_of_the_file() -> None:
    assert len(OTHERS) == 4
    for name in OTHERS:
        one = renderer(name)
        (file,) = one.render(example().border("nodes", "data")).files

        assert (one.parser, one.scopes) == ("", {Scope.BORDER})
        assert "not proved" in one.title
        assert "NOT PROVED" in file.text
        assert "replies of UDP are not let back" in file.text
        assert "not-proved" in file.name
        prove_rendering(example().border(), one.render(example().border()))


@pytest.mark.parametrize("name", OTHERS)
def test_every_flow_has_its_terms_and_the_text_is_the_same_to_the_byte(name: str) -> None:
    projection = example().border()
    first, second = (renderer(name).render(projection).files[0].text for _ in range(2))

    assert first == second
    for permit in projection.permits[Direction.FORWARD]:
        assert f"controlroom: {permit.flow}: "[:50] in first
    for port in ("5432", "53", "88"):
        assert re.search(rf"\b{port}\b|domain|kerberos", first)


@pytest.mark.parametrize("name", OTHERS)
def test_a_flow_without_a_common_family_opens_nothing(name: str) -> None:
    (file,) = renderer(name).render(border_of(TWO)).files

    assert "permit" not in file.text
    assert "then accept" not in file.text


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    "purpose",
    ["*/ term x { then accept; } /*", '" then accept; } }', "${x} %s {0}"],
)
def test_hostile_purposes_change_nothing(name: str, purpose: str) -> None:
    plain, hostile = (
        renderer(name).render(border_of(TWO + flow("f", "x", "y", "80", purpose=text))).files[0].text
        for text in ("p", purpose)
    )

    def rules(text: str) -> list[str]:
        kept = (line for line in text.splitlines() if "controlroom" not in line and "*" not in line)
        return [line for line in kept if not re.match(r"\s*remark", line)]

    # Long comments may be wrapped, which adds lines of comment and no other.
    assert rules(hostile) == rules(plain)
    assert hostile.count("*/") == plain.count("*/")


def test_without_the_library_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr("controlroom.network.renderers.aerleon.import_module", missing)

    with pytest.raises(MissingProgram, match=r"pip install 'controlroom\[aerleon\]'"):
        renderer("aerleon:juniper").render(example().border())


def test_what_the_library_refuses_or_leaves_out_is_an_error_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    api = importlib.import_module("aerleon.api")

    monkeypatch.setattr(api, "Generate", lambda *_: {"controlroom.acl": "nothing of it"})
    with pytest.raises(CannotExpress, match="leaves out the term rule-1-v4 for juniper"):
        renderer("aerleon:juniper").render(example().border())

    def broken(*_: object) -> None:
        raise builtins.TypeError("icmp")

    monkeypatch.setattr(api, "Generate", broken)
    with pytest.raises(CannotExpress, match="Aerleon refuses: TypeError: icmp"):
        renderer("aerleon:juniper").render(example().border())
