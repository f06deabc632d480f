#!/usr/bin/env bash
# Summary: Holds one review vote: every reviewer judges the same change, blind, and the ballots are collected sealed.
# Usage: hold-vote.sh VOTE-FOLDER ATTEMPT-FOLDER WORKSPACE BASE TREE
#   VOTE-FOLDER/electorate   NUL-separated records `MEMBER TAB program|agent TAB PATH`: a program, or an agent's ticket
#   ATTEMPT-FOLDER           holds diff.patch and changes.raw of the change
#   Programs judge the changed files together in one sandbox; agents each in their own, on a view of the tree without
#   records and history. VOTE-FOLDER/ballots.tsv gets a line `MEMBER TAB EXIT TAB TEXT` for each; an agent's ballot is
#   in VOTE-FOLDER/MEMBER/out. Nobody sees another's ballot: they leave their sandboxes only through this command.
# Exit: 0 all were asked (what they said is the store's to read); 143 told to stop.
# Environment: ORKESTRA_GIT_DIR ORKESTRA_GRACE.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log process git workspace

readonly PROGRAM_SECONDS=120 # bound on all program reviewers together

# What a program reviewer sees: the diff, a table of what changed, and the changed files as they would be.
vote::lay_out() {
  local attempt=$1 workspace=$2 tree=$3 material=$4 raw numbers at meta path status mode added deleted
  rm -rf -- "$material"
  mkdir -p -- "$material/files"
  cp -- "$attempt/diff.patch" "$material/diff.patch"
  mapfile -d '' raw <"$attempt/changes.raw"
  # shellcheck disable=SC2312  # `wait $!` gives its status
  mapfile -d '' numbers < <(git::workspace "$workspace" diff-tree -r -z --numstat --no-renames "$BASE" "$tree")
  wait "$!"
  for ((at = 0; at < ${#raw[@]}; at += 2)); do
    meta=${raw[at]} path=${raw[at + 1]}
    read -r _ mode _ _ status <<<"$meta"
    IFS=$'\t' read -r added deleted _ <<<"${numbers[at / 2]}"
    text::escape path "$path"
    printf '%s\t%s\t%s\t%s\t%s\n' "$status" "$mode" "$added" "$deleted" "$path"
  done >"$material/changes.tsv"
  for ((at = 0; at < ${#raw[@]}; at += 2)); do
    [[ ${raw[at]} == *' D' ]] || printf '%s\0' "${raw[at + 1]}"
  done | git::workspace "$workspace" -c core.symlinks=false -c core.bare=false --work-tree="$material" \
    checkout-index -z --stdin --prefix="files/"
}

# The programs judge together, in one sandbox; each one's words leave it in a line of its own.
vote::ask_programs() {
  local folder=$1 material=$2 status=0
  shift 2
  process::run status timeout --kill-after="${ORKESTRA_GRACE:-10}" "$PROGRAM_SECONDS" \
    "$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" --ro "$material" --ro "$ORKESTRA_SCRIPTS" \
    --chdir "$material" -- "$ORKESTRA_SCRIPTS/COMMITTEE/run-programs.sh" "$@" \
    >"$folder/ballots.tsv" 2>"$folder/programs.log"
  ((status == 0)) || log::write warn "the program reviewers ended with $status: see $folder/programs.log"
}

# The agents judge side by side, each in a sandbox of its own, on a view of the tree that none of them can write.
# After folder and workspace come pairs of member and ticket.
vote::ask_agents() {
  local folder=$1 workspace=$2 member pids=() members=() at status
  shift 2
  while (($# > 1)); do
    member=$1
    process::start "$ORKESTRA_SCRIPTS/AGENTS/spawn.sh" ballot "$workspace/tree" "$2" \
      "$folder/$member/out" "$workspace"
    pids+=("$PROCESS_PID")
    members+=("$member")
    shift 2
  done
  for at in "${!pids[@]}"; do
    PROCESS_PID=${pids[at]}
    process::wait status
    printf '%s\t%s\t\n' "${members[at]}" "$status" >>"$folder/ballots.tsv"
  done
}

# Told to stop: every reviewer that still judges is told too.
vote::told() {
  local pid
  PROCESS_STOPPING=1
  for pid in $(jobs -p); do kill -TERM -- "-$pid" 2>/dev/null || :; done # one that has ended needs no telling
}

main() {
  (($# == 5)) || die "$EX_USAGE" "hold-vote.sh takes five arguments: see its head"
  local folder=$1 attempt=$2 workspace=$3 record member kind ticket programs=() agents=()
  BASE=$4
  error::need_variables ORKESTRA_GIT_DIR
  error::need_file "$folder/electorate"
  trap vote::told TERM INT HUP
  while IFS= read -r -d '' record; do
    IFS=$'\t' read -r member kind ticket <<<"$record"
    if [[ $kind == program ]]; then programs+=("$member"); else agents+=("$member" "$ticket"); fi
  done <"$folder/electorate"
  : >"$folder/ballots.tsv"
  if ((${#programs[@]} > 0)); then
    vote::lay_out "$attempt" "$workspace" "$5" "$workspace/material"
    vote::ask_programs "$folder" "$workspace/material" "${programs[@]}"
  fi
  if ((${#agents[@]} > 0)); then
    workspace::show "$workspace" "$5"
    vote::ask_agents "$folder" "$workspace" "${agents[@]}"
  fi
  [[ -z $PROCESS_STOPPING ]] || exit 143
}

main "$@"
