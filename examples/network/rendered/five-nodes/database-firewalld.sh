#!/bin/sh
# check     reads the files with firewalld's own tool, together with what firewalld has; changes nothing
# apply     saves our files that are there, puts the new ones in, reloads, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
# Only policies and ipsets named controlroom* are touched. A reload forgets what others set at run time alone.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}
config=${FIREWALLD_CONFIG_FOLDER:-/etc/firewalld}
saved="$state/database-firewalld.saved"
pending="$state/database-firewalld.pending"

# Ours go first, so that no set is used that is not there, and none is left behind.
put() {
  for kind in policies ipsets; do
    mkdir -p "$2/$kind"
    rm -f "$2/$kind"/controlroom*.xml
    for file in "$1/$kind"/controlroom*.xml; do
      if [ -e "$file" ]; then cp "$file" "$2/$kind/"; fi
    done
  done
}

check() {
  mkdir -p "$state"
  rm -rf "$state/database-firewalld.new"
  cp -r "$config" "$state/database-firewalld.new"
  put "$folder/database-firewalld" "$state/database-firewalld.new"
  firewall-offline-cmd --system-config="$state/database-firewalld.new" --check-config
}

rollback() {
  rm -f "$pending"
  put "$saved" "$config"
  firewall-cmd --reload
  echo "rolled back"
}

apply() {
  check
  firewall-cmd --state >/dev/null
  rm -rf "$saved"
  mkdir -p "$saved/policies" "$saved/ipsets"
  put "$config" "$saved"
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  (
    trap '' HUP
    sleep 120
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
  put "$folder/database-firewalld" "$config"
  firewall-cmd --reload
  echo "applied; confirm within 120 seconds: $0 confirm"
}

confirm() {
  rm -f "$pending"
  echo "confirmed"
}

case "${1:-}" in
  check|apply|confirm|rollback) "$1" ;;
  *) echo "usage: $0 check|apply|confirm|rollback" >&2; exit 2 ;;
esac
