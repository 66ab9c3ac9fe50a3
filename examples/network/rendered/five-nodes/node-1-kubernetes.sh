#!/bin/sh
# check     has the platform read the rules and say what would change; changes nothing
# apply     saves what is there, applies the rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules, once what must work is seen to work
# rollback  puts back what was there before the last apply
# Needs: kubectl, with a context that may write network policies
set -eu
: "${NAMESPACE:?set it to the namespace of the pod}"
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/controlroom-firewall}
saved="$state/controlroom-node-1.saved"
pending="$state/controlroom-node-1.pending"

check() {
  kubectl --namespace "$NAMESPACE" apply --dry-run=server -f "$folder/node-1-kubernetes.yaml"
  kubectl --namespace "$NAMESPACE" diff -f "$folder/node-1-kubernetes.yaml" || [ $? -eq 1 ]
}

rollback() {
  rm -f "$pending"
  if [ -s "$saved" ]; then
    kubectl --namespace "$NAMESPACE" apply -f "$saved"
  else
    kubectl --namespace "$NAMESPACE" delete --ignore-not-found networkpolicy/controlroom-node-1
  fi
  echo "rolled back"
}

apply() {
  check
  mkdir -p "$state"
  # Where it cannot be told what is there, or it cannot be saved, nothing is changed.
  held=$(kubectl --namespace "$NAMESPACE" get --ignore-not-found --output name networkpolicy/controlroom-node-1)
  if [ -n "$held" ]; then
    kubectl --namespace "$NAMESPACE" apply view-last-applied --output yaml networkpolicy/controlroom-node-1 >"$saved"
  else
    : >"$saved"
  fi
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  kubectl --namespace "$NAMESPACE" apply -f "$folder/node-1-kubernetes.yaml"
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
