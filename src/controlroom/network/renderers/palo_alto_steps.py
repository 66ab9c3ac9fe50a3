"""The steps for PAN-OS, in its own commands, and the commands that remove one generation of ours."""

from collections.abc import Iterator

_STEPS = """\
Steps for {stem}.set on PAN-OS. Lines that begin with > are typed at the operational prompt, # in configuration mode.
Only names that begin with controlroom- are touched. The management port is not behind these rules, and stays
reachable; where the device is managed through a data port, a rule of your own before ours must allow that.

check      changes nothing that is in force
  > show jobs pending
  > configure
  # show rulebase security rules | match controlroom-
  Rules that stand before ours count too: "controlroom network verify" reads all of them (see below).

apply      saves what is in force, then sets the candidate; nothing counts before the commit
  # save config to controlroom-before.xml
  # exit
  > set cli scripting-mode on
  > configure
  paste {stem}.set, and the -remove.set file of the rendering that was in force before, if its mark is another one
  # validate full
  # commit description {mark}

timed roll-back   PAN-OS has none of its own. Before the commit, start this on another machine than the one you work
  from, and end it once you have confirmed:
  sleep {seconds}; printf 'configure\\nload config from controlroom-before.xml\\ncommit\\nexit\\nexit\\n' | ssh ADMIN@DEVICE

confirm    from a second session, once what must work is seen to work: end the timed roll-back

rollback   puts back what was in force before
  # load config from controlroom-before.xml
  # commit description rollback

verify     what the device really holds
  > set cli config-output-format set
  > configure
  # show
"""


def palo_alto_steps(stem: str, mark: str) -> str:
    """Return the steps for a PAN-OS device."""
    # A commit takes minutes on small devices, so that the roll-back waits longer than elsewhere.
    return _STEPS.format(stem=stem, mark=mark, seconds=600)


def palo_alto_removal(text: str) -> str:
    """Return what removes everything that a rendering sets, rules before what they use, the denial first."""
    paths = list(dict.fromkeys(_paths(text)))
    denials = [path for path in paths if path.endswith("-deny")]
    others = [path for path in reversed(paths) if path not in denials]
    return "".join(f"delete {path}\n" for path in [*denials, *others])


def _paths(text: str) -> Iterator[str]:
    for line in text.splitlines():
        words = line.split(maxsplit=5)
        yield " ".join(words[1:5] if words[1] == "rulebase" else words[1:3])
