#!/usr/bin/env bash
# Summary: which agents can work here and now, and what to do about the rest
# Usage: probe.sh [AGENT...]
#
# An agent is there when its adapter is: an executable in SCRIPTS/AGENTS/adapters, or the user's own in CONFIG/agents,
# which stands in for ours of the same name. No model is called, and an adapter learns only which keys there are.
# Output, a line for each: AGENT TAB yes|no TAB CODE TAB ADAPTER TAB BINARY TAB WHY (fields escaped).
# Exit: 0 one of them can work; 64 there is no such agent; 69 none can.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use text

readonly PROBE_SECONDS=5
declare -A PROBE_ADAPTERS=()
PROBE_NAMES=()
PROBE_FOLDER=''

main() {
  local name names=() usable=''
  probe::find "$ORKESTRA_SCRIPTS/AGENTS/adapters"
  probe::find "${ORKESTRA_CONFIG:-/nonexistent}/agents"
  names=("$@")
  (($# > 0)) || names=("${PROBE_NAMES[@]}")
  probe::keys
  PROBE_FOLDER=$(mktemp -d)
  trap 'rm -rf -- "$PROBE_FOLDER"' EXIT
  for name in "${names[@]}"; do
    [[ -v PROBE_ADAPTERS[$name] ]] || die "$EX_USAGE" "there is no agent '$name'" "see what there is: SCRIPTS/AGENTS/probe.sh"
    probe::ask "$name" "$PROBE_FOLDER" &
  done
  wait
  for name in "${names[@]}"; do
    probe::tell "$name"
    [[ $(<"$PROBE_FOLDER/$name.code") != 0 ]] || usable=1
  done
  [[ -n $usable ]] || exit "$EX_UNAVAILABLE"
}

# probe::find FOLDER: its executables by name. A later folder wins.
probe::find() {
  local path
  for path in "$1"/*; do
    [[ -f $path && -x $path && ${path##*/} =~ ^[a-z0-9][a-z0-9._-]{0,63}$ ]] || continue
    [[ -v PROBE_ADAPTERS[${path##*/}] ]] || PROBE_NAMES+=("${path##*/}")
    PROBE_ADAPTERS[${path##*/}]=$path
  done
}

# Names of api-keys.env with a value; whoever starts an agent reads the values.
probe::keys() {
  local line file=${ORKESTRA_CONFIG:-}/api-keys.env
  [[ -r $file ]] || return 0
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Z][A-Z0-9_]*)=[[:space:]]*[\"\']?[^[:space:]\"\'#] ]] || continue
    [[ -v ${BASH_REMATCH[2]} ]] || export "${BASH_REMATCH[2]}=set"
  done <"$file"
}

probe::ask() {
  local code=0 out=$2/$1
  timeout "$PROBE_SECONDS" "${PROBE_ADAPTERS[$1]}" probe </dev/null >"$out.out" 2>"$out.err" || code=$?
  printf '%s' "$code" >"$out.code"
}

probe::tell() {
  local name=$1 code why='' line binary='' usable=no
  code=$(<"$PROBE_FOLDER/$name.code")
  while IFS= read -r line; do
    [[ $line != "binary"$'\t'* ]] || binary=${line#*$'\t'}
  done <"$PROBE_FOLDER/$name.out"
  if [[ $code == 0 ]]; then
    usable=yes
    [[ ${PROBE_ADAPTERS[$name]} == "$ORKESTRA_SCRIPTS"/* ]] || why='your own adapter'
  else
    why=$(<"$PROBE_FOLDER/$name.err")
    [[ $code != 124 ]] || why="it did not answer within $PROBE_SECONDS seconds"
    [[ -n $why ]] || why="its probe ended with $code"
  fi
  text::escape binary "$binary"
  text::escape why "$why"
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$name" "$usable" "$code" "${PROBE_ADAPTERS[$name]}" "$binary" "$why"
}

main "$@"
