#!/bin/sh
# check     reads the rules with the firewall's own parser and changes nothing
# apply     saves what is there, loads the rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back what was there before the last apply
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}
saved="$state/control.nft.saved"
pending="$state/control.nft.pending"

check() {
  nft -c -f "$folder/control.nft"
}

rollback() {
  rm -f "$pending"
  if [ -s "$saved" ]; then
    nft delete table inet controlroom 2>/dev/null || true
    nft -f "$saved"
  else
    nft delete table inet controlroom
  fi
  echo "rolled back"
}

apply() {
  check
  mkdir -p "$state"
  nft list table inet controlroom >"$saved" 2>/dev/null || : >"$saved"
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  nft -f "$folder/control.nft"
  (
    trap '' HUP
    sleep 120
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
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
