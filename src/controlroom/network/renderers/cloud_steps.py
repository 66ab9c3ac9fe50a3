"""The script beside a cloud rendering: check, apply with a timed roll-back, confirm, roll back.

It runs where the cloud's own command line is signed in; the firewall is changed from outside, so that the machine that
runs it is not cut off by it. What was there is kept in a folder of the person who runs it.
"""

from collections.abc import Sequence

from controlroom.network.renderers.interface import RenderedFile, Rendering
from controlroom.network.renderers.steps import ROLL_BACK_SECONDS, ROLL_BACK_UNLESS_CONFIRMED

_SCRIPT = """\
#!/bin/sh
# check     has the platform read the rules and say what would change; changes nothing
# apply     saves what is there, applies the rules, and rolls back after {seconds} seconds unless confirmed
# confirm   keeps the new rules, once what must work is seen to work
# rollback  puts back what was there before the last apply
# Needs: {needs}
set -eu
{required}folder=$(cd "$(dirname "$0")" && pwd)
state=${{CONTROLROOM_FIREWALL_STATE:-${{XDG_STATE_HOME:-$HOME/.local/state}}/controlroom-firewall}}
saved="$state/{name}.saved"
pending="$state/{name}.pending"

check() {{
  {check}
}}

rollback() {{
  rm -f "$pending"
  if [ -s "$saved" ]; then
    {restore}
  else
    {remove}
  fi
  echo "rolled back"
}}

apply() {{
  check
  mkdir -p "$state"
  # Where it cannot be told what is there, or it cannot be saved, nothing is changed.
  held=$({present})
  if [ -n "$held" ]; then
    {save} >"$saved"
  else
    : >"$saved"
  fi
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  {apply}
"""


def cloud_script(
    name: str,
    *,
    needs: str,
    required: Sequence[tuple[str, str]] = (),
    check: Sequence[str],
    present: str,
    save: str,
    apply: Sequence[str],
    restore: Sequence[str],
    remove: Sequence[str],
) -> str:
    """Return the script. Steps are commands that may use ``$folder``, where the rules are, and ``$saved``.

    ``required`` are environment variables that must be set, each with what it names. ``present`` prints
    something where there is something of ours already, and ``save`` writes that to its standard output.
    """
    return (_SCRIPT + ROLL_BACK_UNLESS_CONFIRMED).format(
        name=name,
        needs=needs,
        required="".join(f': "${{{variable}:?set it to {what}}}"\n' for variable, what in required),
        check="\n  ".join(check),
        present=present,
        save=save,
        apply="\n  ".join(apply),
        restore="\n    ".join(restore),
        remove="\n    ".join(remove),
        seconds=ROLL_BACK_SECONDS,
    )


def terraform_script(name: str, file: str) -> str:
    """Return the script for one file in Terraform's JSON syntax; the previous file that was applied is what is saved."""
    run = 'terraform -chdir="$folder"'
    plan = f'"$state/{name}.plan"'
    return cloud_script(
        name,
        needs="terraform, with credentials and the variables of the folder (TF_VAR_...)",
        check=(
            f"{run} init -input=false",
            f"{run} validate",
            'mkdir -p "$state"',
            f"{run} plan -input=false -out={plan}",
        ),
        present=f'[ ! -e "$state/{name}.applied" ] || echo applied',
        save=f'cat "$state/{name}.applied"',
        apply=(f"{run} apply -input=false {plan}", f'cp "$folder/{file}" "$state/{name}.applied"'),
        restore=(
            f'cp "$saved" "$folder/{file}"',
            f"{run} apply -input=false -auto-approve",
            f'cp "$saved" "$state/{name}.applied"',
        ),
        remove=(
            f'echo "{{}}" >"$folder/{file}"',
            f"{run} apply -input=false -auto-approve",
            f'rm -f "$state/{name}.applied"',
        ),
    )


def terraform_rendering(
    target: str, cloud: str, place: str, name: str, text: str, variables: str
) -> Rendering:
    """Return a place's file, the variables that all places of a cloud share, and the script beside them."""
    file = f"{place}-{cloud}.tf.json"
    return Rendering(
        target,
        (
            RenderedFile(file, text),
            RenderedFile(f"controlroom-{cloud}-variables.tf.json", variables, is_rules=False),
            RenderedFile(
                f"{place}-{cloud}-terraform.sh",
                terraform_script(f"{name}-{cloud}", file),
                is_rules=False,
                executable=True,
            ),
        ),
    )
