#!/bin/sh
# check     has the platform read the rules and say what would change; changes nothing
# apply     saves what is there, applies the rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules, once what must work is seen to work
# rollback  puts back what was there before the last apply
# Needs: terraform, with credentials and the variables of the folder (TF_VAR_...)
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/controlroom-firewall}
saved="$state/controlroom_services-gcp.saved"
pending="$state/controlroom_services-gcp.pending"

check() {
  terraform -chdir="$folder" init -input=false
  terraform -chdir="$folder" validate
  mkdir -p "$state"
  terraform -chdir="$folder" plan -input=false -out="$state/controlroom_services-gcp.plan"
}

rollback() {
  rm -f "$pending"
  if [ -s "$saved" ]; then
    cp "$saved" "$folder/services-gcp.tf.json"
    terraform -chdir="$folder" apply -input=false -auto-approve
    cp "$saved" "$state/controlroom_services-gcp.applied"
  else
    echo "{}" >"$folder/services-gcp.tf.json"
    terraform -chdir="$folder" apply -input=false -auto-approve
    rm -f "$state/controlroom_services-gcp.applied"
  fi
  echo "rolled back"
}

apply() {
  check
  mkdir -p "$state"
  # Where it cannot be told what is there, or it cannot be saved, nothing is changed.
  held=$([ ! -e "$state/controlroom_services-gcp.applied" ] || echo applied)
  if [ -n "$held" ]; then
    cat "$state/controlroom_services-gcp.applied" >"$saved"
  else
    : >"$saved"
  fi
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  terraform -chdir="$folder" apply -input=false "$state/controlroom_services-gcp.plan"
  cp "$folder/services-gcp.tf.json" "$state/controlroom_services-gcp.applied"
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
