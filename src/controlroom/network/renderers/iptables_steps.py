"""The script beside an iptables rendering: loads sets, then rules, without a moment in which nothing filters."""

from controlroom.network.renderers.interface import TAG
from controlroom.network.renderers.steps import ROLL_BACK_SECONDS

_SCRIPT = """\
#!/bin/sh
# check     reads the rules with iptables-restore --test and changes nothing
# apply     saves what is there, loads sets and rules, and rolls back after {seconds} seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${{CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}}
pending="$state/{name}.iptables.pending"

# Only the filter table is saved and restored; chains that are not ours come back as they were.
save() {{
  mkdir -p "$state"
  iptables-save -t filter >"$state/{name}.saved4"
  ip6tables-save -t filter >"$state/{name}.saved6"
}}

load_sets() {{ ipset restore -exist -file "$folder/{name}.ipset"; }}

check() {{
  load_sets
  iptables-restore --test --noflush "$folder/{name}.rules4"
  ip6tables-restore --test --noflush "$folder/{name}.rules6"
}}

# A second load puts a second jump in front; the older ones behind it go.
keep_one_jump() {{
  for program in iptables ip6tables; do
{jumps}
  done
}}

drop_unused_sets() {{
  for set in $(ipset list -name | grep '^{tag}[46]-' || true); do
    grep -q "^create $set " "$folder/{name}.ipset" || ipset destroy "$set" 2>/dev/null || true
  done
}}

rollback() {{
  rm -f "$pending"
  iptables-restore -T filter "$state/{name}.saved4"
  ip6tables-restore -T filter "$state/{name}.saved6"
  echo "rolled back"
}}

apply() {{
  check
  save
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  iptables-restore --noflush "$folder/{name}.rules4"
  ip6tables-restore --noflush "$folder/{name}.rules6"
  keep_one_jump
  (
    trap '' HUP
    sleep {seconds}
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
  echo "applied; confirm within {seconds} seconds: $0 confirm"
}}

confirm() {{
  rm -f "$pending"
  drop_unused_sets
  echo "confirmed"
}}

case "${{1:-}}" in
  check|apply|confirm|rollback) "$1" ;;
  *) echo "usage: $0 check|apply|confirm|rollback" >&2; exit 2 ;;
esac
"""

_JUMP = """\
    while [ "$($program -S {hook} | grep -c -- '-j {chain}$')" -gt 1 ]; do
      $program -D {hook} "$($program -L {hook} -n --line-numbers | awk '$2 == "{chain}" {{ last = $1 }} END {{ print last }}')"
    done"""


def iptables_script(name: str, chains: list[tuple[str, str]]) -> str:
    """Return the script for one firewall; ``chains`` are our chains with the hooks that jump to them."""
    jumps = "\n".join(_JUMP.format(chain=chain, hook=hook) for chain, hook in chains)
    return _SCRIPT.format(name=name, jumps=jumps, tag=TAG, seconds=ROLL_BACK_SECONDS)
