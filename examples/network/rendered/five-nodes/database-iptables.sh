#!/bin/sh
# check     reads the rules with iptables-restore --test and changes nothing
# apply     saves what is there, loads sets and rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}
pending="$state/database.iptables.pending"

# Only the filter table is saved and restored; chains that are not ours come back as they were.
save() {
  mkdir -p "$state"
  iptables-save -t filter >"$state/database.saved4"
  ip6tables-save -t filter >"$state/database.saved6"
}

load_sets() { ipset restore -exist -file "$folder/database.ipset"; }

check() {
  load_sets
  iptables-restore --test --noflush "$folder/database.rules4"
  ip6tables-restore --test --noflush "$folder/database.rules6"
}

# A second load puts a second jump in front; the older ones behind it go.
keep_one_jump() {
  for program in iptables ip6tables; do
    while [ "$($program -S INPUT | grep -c -- '-j CONTROLROOM-IN$')" -gt 1 ]; do
      $program -D INPUT "$($program -L INPUT -n --line-numbers | awk '$2 == "CONTROLROOM-IN" { last = $1 } END { print last }')"
    done
    while [ "$($program -S OUTPUT | grep -c -- '-j CONTROLROOM-OUT$')" -gt 1 ]; do
      $program -D OUTPUT "$($program -L OUTPUT -n --line-numbers | awk '$2 == "CONTROLROOM-OUT" { last = $1 } END { print last }')"
    done
  done
}

drop_unused_sets() {
  for set in $(ipset list -name | grep '^controlroom[46]-' || true); do
    grep -q "^create $set " "$folder/database.ipset" || ipset destroy "$set" 2>/dev/null || true
  done
}

rollback() {
  rm -f "$pending"
  iptables-restore -T filter "$state/database.saved4"
  ip6tables-restore -T filter "$state/database.saved6"
  echo "rolled back"
}

apply() {
  check
  save
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  iptables-restore --noflush "$folder/database.rules4"
  ip6tables-restore --noflush "$folder/database.rules6"
  keep_one_jump
  (
    trap '' HUP
    sleep 120
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
  echo "applied; confirm within 120 seconds: $0 confirm"
}

confirm() {
  rm -f "$pending"
  drop_unused_sets
  echo "confirmed"
}

case "${1:-}" in
  check|apply|confirm|rollback) "$1" ;;
  *) echo "usage: $0 check|apply|confirm|rollback" >&2; exit 2 ;;
esac
