#!/bin/sh
# check     puts ufw's files together as apply would, and has them tested; changes nothing
# apply     saves ufw's files, puts ours in, reloads, and rolls back after 120 seconds unless confirmed
# confirm   keeps the new rules; run it from a second session, which proves that you are not locked out
# rollback  puts back the files that were there before the last apply, and ufw into the state that it was in
# Rules and lines that are not tagged controlroom stay as they are.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
state=${CONTROLROOM_FIREWALL_STATE:-/var/lib/controlroom-firewall}
root=${UFW_DATA_FOLDER:-}
saved="$state/database.ufw.saved"
pending="$state/database.ufw.pending"
files="user.rules user6.rules before.rules before6.rules"

run_ufw() {
  if [ -n "$root" ]; then ufw "--rootdir=$root" "--datadir=$root" "$@"; else ufw "$@"; fi
}

# ufw's record of a rule tells its comment in hexadecimal; the lines up to the next empty one belong to it.
merge_user() {
  awk -v part="$2" '
    function ours(  line, on) {
      while ((getline line < part) > 0) {
        if (line == "### END RULES ###") on = 0
        if (on && line ~ /^### tuple/) print ""
        if (on && line != "") print line
        if (line == "### RULES ###") on = 1
      }
    }
    /^### tuple ###.* comment=636f6e74726f6c726f6f6d3a/ { skip = 1 }
    skip { if ($0 == "") skip = 0; next }
    { print }
    /^### RULES ###/ { ours(); placed = 1 }
    END { if (!placed) exit 1 }
  ' "$1"
}

merge_before() {
  awk -v part="$2" '
    function ours(  line, on) {
      while ((getline line < part) > 0) {
        if (line == "# BEGIN controlroom") on = 1
        if (on) print line
        if (line == "# END controlroom") on = 0
      }
      placed = 1
    }
    $0 == "# BEGIN controlroom" { skip = 1 }
    skip { if ($0 == "# END controlroom") skip = 0; next }
    /^\*/ { table = $0 }
    table ~ /^\*filter/ && !placed && /^(-|COMMIT)/ { ours() }
    { print }
    END { if (!placed) exit 1 }
  ' "$1"
}

# The new files, beside what ufw holds.
build() {
  rm -rf "$state/database.ufw.new"
  mkdir -p "$state/database.ufw.new"
  for file in $files; do
    case $file in
      user*) merge_user "$root/etc/ufw/$file" "$folder/database-$file" ;;
      before*) merge_before "$root/etc/ufw/$file" "$folder/database-$file" ;;
    esac >"$state/database.ufw.new/$file" || { echo "$root/etc/ufw/$file is not a file of ufw" >&2; exit 1; }
  done
}

# Rules may jump to chains that ufw makes itself, so that they are tested with those in place.
test_file() {
  {
    echo "*filter"
    for hook in input output forward; do
      for chain in before before-logging after after-logging reject track user user-logging skip-to-policy; do
        echo ":$2-$chain-$hook - [0:0]"
      done
    done
    for chain in logging-deny logging-allow not-local user-limit user-limit-accept; do echo ":$2-$chain - [0:0]"; done
    sed '/^\*filter/d' "$state/database.ufw.new/$3"
  } | "$1-restore" --test --noflush
}

check() {
  grep -qi '^IPV6=.*yes' "$root/etc/default/ufw" || { echo "set IPV6=yes in $root/etc/default/ufw" >&2; exit 1; }
  build
  test_file iptables ufw user.rules
  test_file iptables ufw before.rules
  test_file ip6tables ufw6 user6.rules
  test_file ip6tables ufw6 before6.rules
}

put() {
  for file in $files; do
    cat "$1/$file" >"$root/etc/ufw/$file.controlroom"
    chmod 640 "$root/etc/ufw/$file.controlroom"
    mv "$root/etc/ufw/$file.controlroom" "$root/etc/ufw/$file"
  done
}

is_active() { run_ufw status | grep -q '^Status: active'; }

rollback() {
  rm -f "$pending"
  put "$saved"
  if [ -e "$saved/active" ]; then
    run_ufw reload
  else
    run_ufw disable
  fi
  echo "rolled back"
}

apply() {
  check
  rm -rf "$saved"
  mkdir -p "$saved"
  for file in $files; do cp "$root/etc/ufw/$file" "$saved/$file"; done
  if is_active; then : >"$saved/active"; fi
  token="$$-$(date +%s)"
  echo "$token" >"$pending"
  (
    trap '' HUP
    sleep 120
    if [ "$(cat "$pending" 2>/dev/null)" = "$token" ]; then sh "$folder/$(basename "$0")" rollback; fi
  ) >/dev/null 2>&1 &
  put "$state/database.ufw.new"
  if [ -e "$saved/active" ]; then run_ufw reload; else run_ufw --force enable; fi
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
