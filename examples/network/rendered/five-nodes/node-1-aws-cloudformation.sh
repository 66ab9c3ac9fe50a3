#!/bin/sh
# check     has the platform read the rules and say what would change; changes nothing
# apply     saves what is there, applies the rules, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules, once what must work is seen to work
# rollback  puts back what was there before the last apply
# Needs: aws, with credentials and a region; BUCKET, an S3 bucket, for a template over 51,200 bytes
set -eu
: "${VPC:?set it to the VPC of the host, such as vpc-0abc}"
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/controlroom-firewall}
saved="$state/controlroom-node-1.saved"
pending="$state/controlroom-node-1.pending"

check() {
  [ -n "${BUCKET:-}" ] || aws cloudformation validate-template --output text --template-body "file://$folder/node-1-aws.yaml"
  aws cloudformation deploy --stack-name controlroom-node-1 --no-fail-on-empty-changeset --no-execute-changeset --template-file "$folder/node-1-aws.yaml" --parameter-overrides "Vpc=$VPC" ${BUCKET:+--s3-bucket "$BUCKET"}
}

rollback() {
  rm -f "$pending"
  if [ -s "$saved" ]; then
    aws cloudformation deploy --stack-name controlroom-node-1 --no-fail-on-empty-changeset --template-file "$saved" --parameter-overrides "Vpc=$VPC" ${BUCKET:+--s3-bucket "$BUCKET"}
  else
    aws cloudformation delete-stack --stack-name controlroom-node-1
  fi
  echo "rolled back"
}

apply() {
  check
  mkdir -p "$state"
  # Where it cannot be told what is there, or it cannot be saved, nothing is changed.
  held=$(aws cloudformation list-stacks --output text --query "StackSummaries[?StackName=='controlroom-node-1' && StackStatus!='DELETE_COMPLETE'].StackId")
  if [ -n "$held" ]; then
    aws cloudformation get-template --stack-name controlroom-node-1 --query TemplateBody --output text >"$saved"
  else
    : >"$saved"
  fi
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  aws cloudformation deploy --stack-name controlroom-node-1 --no-fail-on-empty-changeset --template-file "$folder/node-1-aws.yaml" --parameter-overrides "Vpc=$VPC" ${BUCKET:+--s3-bucket "$BUCKET"}
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
