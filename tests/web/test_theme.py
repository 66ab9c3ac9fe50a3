"""Every text is legible in both themes (WCAG 2.2 success criterion 1.4.3), and both name the same tokens."""

import re
from pathlib import Path

import pytest

from controlroom.web.assets import WEB_FOLDER
from controlroom.web.theme import DARK, LIGHT, TONES, theme_css

TEXT_ON_SURFACES = [
    *((text, surface) for text in ("text", "text-soft", "text-faint", "accent") for surface in ("page", "surface", "raised")),
    *((tone, surface) for tone in TONES for surface in ("page", "surface", "raised", f"{tone}-soft")),
    ("accent", "accent-soft"), ("text", "accent-soft"), ("on-fill", "accent-fill"), ("on-fill", "accent-fill-hover"),
    ("on-fill", "danger-fill"), ("on-fill", "danger-fill-hover"), ("text", "mark"), ("text", "failed-soft"),
]  # fmt: skip


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "surface"), TEXT_ON_SURFACES)
def test_text_has_the_contrast_of_aa(palette: dict[str, str], text: str, surface: str) -> None:
    assert _contrast(palette[text], palette[surface]) >= 4.5


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_edges_of_controls_can_be_seen(palette: dict[str, str]) -> None:
    assert _contrast(palette["line-strong"], palette["surface"]) >= 3


def test_both_themes_name_the_same_tokens() -> None:
    assert LIGHT.keys() == DARK.keys()


def _sheets() -> list[Path]:
    return sorted((WEB_FOLDER / "styles").glob("*.css"))


@pytest.mark.parametrize("sheet", _sheets(), ids=lambda sheet: sheet.name)
def test_style_sheets_set_no_colour_and_no_font_size_by_hand(sheet: Path) -> None:
    text = re.sub(
        r"rgb\(0 0 0 / [0-9.]+\)", "", sheet.read_text("utf-8")
    )  # shadows are the same in both themes
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(|hsl\(", text)
    assert not [
        size
        for size in re.findall(r"font-size:\s*([^;]+);", text)
        if not size.startswith("var(") and size != "100%"
    ]


def test_style_sheets_use_only_tokens_that_exist() -> None:
    defined = set(re.findall(r"(--[\w-]+):", theme_css()))
    used = {name for sheet in _sheets() for name in re.findall(r"var\((--[\w-]+)", sheet.read_text("utf-8"))}
    assert used <= defined
