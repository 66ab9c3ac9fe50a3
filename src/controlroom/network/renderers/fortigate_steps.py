"""The steps for FortiGate, in its own commands, and the configuration that removes one generation of ours."""

from controlroom.network.renderers.steps import ROLL_BACK_SECONDS

_STEPS = """\
# Steps for {stem}.conf on FortiOS (of one VDOM). Only names that begin with controlroom- are touched.
# What the FortiGate itself receives is not part of it: the administrators' session survives.
#
# check      changes nothing; policies that stand before ours count too
show firewall policy | grep -f controlroom-
# apply      from here on nothing is kept unless saved: after {seconds} seconds the device goes back by itself; releases
#            that count from your last keystroke do so once you type nothing, and a cluster goes back as a whole
execute backup config flash controlroom-before
config system global
    set cfg-save revert
    set cfg-revert-timeout {seconds}
end
# load {stem}.conf (System, Configuration, Scripts; or paste it), then the -remove.conf file of the rendering that was
# in force before, if its mark is another one: until then its denial stands before the new policies
show firewall policy | grep -f {mark}
# confirm    from a second session, which proves that you are not locked out
execute cfg save
config system global
    set cfg-save automatic
end
# rollback   before it is confirmed, at once; afterwards restore the backup
execute cfg reload
"""


def fortigate_steps(stem: str, mark: str) -> str:
    """Return the steps for a FortiGate."""
    return _STEPS.format(stem=stem, mark=mark, seconds=ROLL_BACK_SECONDS)


def fortigate_removal(text: str) -> str:
    """Return what removes everything that a rendering sets: policies first, the denial before all, objects last."""
    tables: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("config "):
            tables.append((line, []))
        elif line.startswith("    edit "):
            tables[-1][1].append(line.removeprefix("    edit "))
    lines: list[str] = []
    for head, names in reversed(tables):
        lines += [head, *(f"    delete {name}" for name in reversed(names)), "end"]
    return "\n".join([*lines, ""])
