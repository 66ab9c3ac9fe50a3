#!/bin/sh
# check     has the platform read the rules and say what would change; changes nothing
# apply     saves what is there, applies the rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules, once what must work is seen to work
# rollback  puts back what was there before the last apply
# Needs: az, signed in; Bicep templates need az bicep too
set -eu
: "${RESOURCE_GROUP:?set it to the resource group of the network}"
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/controlroom-firewall}
saved="$state/controlroom-control-room.saved"
pending="$state/controlroom-control-room.pending"

check() {
  az deployment group validate --output none --resource-group "$RESOURCE_GROUP" --name controlroom-control-room --template-file "$folder/control-room.bicep"
  az deployment group what-if --resource-group "$RESOURCE_GROUP" --name controlroom-control-room --template-file "$folder/control-room.bicep"
}

rollback() {
  rm -f "$pending"
  if [ -s "$saved" ]; then
    az rest --method put --url "/subscriptions/{subscriptionId}/resourceGroups/$RESOURCE_GROUP/providers/Microsoft.Network/networkSecurityGroups/controlroom-control-room?api-version=2024-05-01" --body "@$saved"
  else
    az network nsg delete --resource-group "$RESOURCE_GROUP" --name controlroom-control-room
  fi
  echo "rolled back"
}

apply() {
  check
  mkdir -p "$state"
  # Where it cannot be told what is there, or it cannot be saved, nothing is changed.
  held=$(az network nsg list --resource-group "$RESOURCE_GROUP" --output tsv --query "[?name=='controlroom-control-room'].id")
  if [ -n "$held" ]; then
    az rest --method get --url "/subscriptions/{subscriptionId}/resourceGroups/$RESOURCE_GROUP/providers/Microsoft.Network/networkSecurityGroups/controlroom-control-room?api-version=2024-05-01" >"$saved"
  else
    : >"$saved"
  fi
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  az deployment group create --mode Incremental --output none --resource-group "$RESOURCE_GROUP" --name controlroom-control-room --template-file "$folder/control-room.bicep"
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
