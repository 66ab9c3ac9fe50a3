"""The script beside a firewalld rendering: puts our policies and sets among firewalld's files, and takes them out."""

from controlroom.network.renderers.interface import TAG
from controlroom.network.renderers.steps import ROLL_BACK_SECONDS

_SCRIPT = """\
#!/bin/sh
# check     reads the files with firewalld's own tool, together with what firewalld has; changes nothing
# apply     saves our files that are there, puts the new ones in, reloads, and rolls back after {seconds} seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
# Only policies and ipsets named {tag}* are touched. A reload forgets what others set at run time alone.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${{CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}}
config=${{FIREWALLD_CONFIG_FOLDER:-/etc/firewalld}}
saved="$state/{name}.saved"
pending="$state/{name}.pending"

# Ours go first, so that no set is used that is not there, and none is left behind.
put() {{
  for kind in policies ipsets; do
    mkdir -p "$2/$kind"
    rm -f "$2/$kind"/{tag}*.xml
    for file in "$1/$kind"/{tag}*.xml; do
      if [ -e "$file" ]; then cp "$file" "$2/$kind/"; fi
    done
  done
}}

check() {{
  mkdir -p "$state"
  rm -rf "$state/{name}.new"
  cp -r "$config" "$state/{name}.new"
  put "$folder/{name}" "$state/{name}.new"
  firewall-offline-cmd --system-config="$state/{name}.new" --check-config
}}

rollback() {{
  rm -f "$pending"
  put "$saved" "$config"
  firewall-cmd --reload
  echo "rolled back"
}}

apply() {{
  check
  firewall-cmd --state >/dev/null
  rm -rf "$saved"
  mkdir -p "$saved/policies" "$saved/ipsets"
  put "$config" "$saved"
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  (
    trap '' HUP
    sleep {seconds}
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
  put "$folder/{name}" "$config"
  firewall-cmd --reload
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


def firewalld_script(folder: str) -> str:
    """Return the script for the rendering in that folder. ``FIREWALLD_CONFIG_FOLDER`` leads it to another firewalld."""
    return _SCRIPT.format(name=folder, tag=TAG, seconds=ROLL_BACK_SECONDS)
