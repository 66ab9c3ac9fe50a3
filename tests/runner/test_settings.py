"""A runner's settings come from options, the environment and what was said on joining, in that order."""

from pathlib import Path

import pytest

from controlroom.foundation.errors import Invalid
from controlroom.runner.identity import Identity
from controlroom.runner.settings import runner_settings

JOINED = Identity("https://x", "dev_1", "test", "key", slots=3, labels=("excel",))


def test_options_win_over_the_environment_and_that_over_the_join(tmp_path: Path) -> None:
    environment = {"CONTROLROOM_RUNNER_SLOTS": "5", "CONTROLROOM_RUNNER_WARM": "false"}

    assert runner_settings(JOINED, {}, state=tmp_path).slots == 3
    settings = runner_settings(JOINED, environment, state=tmp_path, slots=None)
    assert (settings.slots, settings.warm, settings.labels) == (5, False, ("excel",))
    assert runner_settings(JOINED, environment, state=tmp_path, slots=7).slots == 7
    assert settings.state == tmp_path


def test_labels_are_words(tmp_path: Path) -> None:
    settings = runner_settings(JOINED, {"CONTROLROOM_RUNNER_LABELS": "sap, windows gpu"}, state=tmp_path)

    assert settings.labels == ("sap", "windows", "gpu")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SLOTS", "0", "slots must be 1 to 256"),
        ("SLOTS", "many", "slots"),
        ("STOP_SECONDS", "nan", "stop_seconds"),
    ],
)
def test_what_cannot_stand_is_named(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        runner_settings(None, {f"CONTROLROOM_RUNNER_{name}": value}, state=tmp_path)
