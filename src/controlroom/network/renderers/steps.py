"""The script beside a rendering: check, apply with a timed roll-back, confirm, roll back."""

# Long enough to open a second session and see that it works, short enough to be waited for.
ROLL_BACK_SECONDS = 120

# How every script ends: the rest of `apply`, then `confirm`, and the choice of a step.
ROLL_BACK_UNLESS_CONFIRMED = """\
  (
    trap '' HUP
    sleep {seconds}
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
  echo "applied; confirm within {seconds} seconds: $0 confirm"
}}

confirm() {{
  rm -f "$pending"
  echo "confirmed"
}}

case "${{1:-}}" in
  check|apply|confirm|rollback) "$1" ;;
  *) echo "usage: $0 check|apply|confirm|rollback" >&2; exit 2 ;;
esac
"""

_SCRIPT = """\
#!/bin/sh
# check     reads the rules with the firewall's own parser and changes nothing
# apply     saves what is there, loads the rules, and rolls back after {seconds} seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${{CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}}
saved="$state/{rules}.saved"
pending="$state/{rules}.pending"

check() {{
  {check}
}}

rollback() {{
  rm -f "$pending"
  if [ -s "$saved" ]; then
    {remove} 2>/dev/null || true
    {restore}
  else
    {remove}
  fi
  echo "rolled back"
}}

apply() {{
  check
  mkdir -p "$state"
  {save} >"$saved" 2>/dev/null || : >"$saved"
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  {apply}
"""


def apply_script(rules: str, *, check: str, save: str, apply: str, restore: str, remove: str) -> str:
    """Return the script. The steps are commands that may use ``$folder``, where the rules are, and ``$saved``."""
    return (_SCRIPT + ROLL_BACK_UNLESS_CONFIRMED).format(
        rules=rules,
        check=check,
        save=save,
        apply=apply,
        restore=restore,
        remove=remove,
        seconds=ROLL_BACK_SECONDS,
    )
