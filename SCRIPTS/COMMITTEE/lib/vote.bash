# shellcheck shell=bash disable=SC2312  # pipefail tells of every part of a pipeline here
# A vote's electorate, and the ballots of its programs. See the head of hold-vote.sh.

use log text process git SAFETY/sandbox

readonly VOTE_PROGRAM_SECONDS=120 # bound on all program reviewers together

VOTE_PROGRAMS=() # programs
VOTE_AGENTS=()   # member and ticket, in turn

# vote::read VOTE-FOLDER: who is asked. There are no ballots yet.
vote::read() {
  local record member kind place
  VOTE_PROGRAMS=() VOTE_AGENTS=()
  while IFS= read -r -d '' record; do
    IFS=$'\t' read -r member kind place <<<"$record"
    if [[ $kind == program ]]; then VOTE_PROGRAMS+=("$member"); else VOTE_AGENTS+=("$member" "$place"); fi
  done <"$1/electorate"
  : >"$1/ballots.tsv"
}

# vote::ask_programs VOTE-FOLDER ATTEMPT WORKSPACE: the programs judge together, in one sandbox; each one's words leave it
# in a line of their own.
vote::ask_programs() {
  local folder=$1 material=$3/material status=0
  vote::_lay_out "$2" "$3" "$material"
  process::start_here sandbox::become --seconds "$VOTE_PROGRAM_SECONDS" --ro "$material" --ro "$ORKESTRA_SCRIPTS" \
    --chdir "$material" -- "$ORKESTRA_SCRIPTS/COMMITTEE/run-programs.sh" "${VOTE_PROGRAMS[@]}" \
    >"$folder/ballots.tsv" 2>"$folder/programs.log"
  process::wait status
  ((status == 0)) || log::write warn "the program reviewers ended with $status: see $folder/programs.log"
}

# What a program reviewer sees: the diff, a table of what changed, and the changed files as they would be.
vote::_lay_out() {
  local attempt=$1 workspace=$2 material=$3 raw counts at path status mode added deleted
  rm -rf -- "$material"
  mkdir -p -- "$material/files"
  cp -- "$attempt/diff.patch" "$material/diff.patch"
  mapfile -d '' -t raw <"$attempt/changes.raw"
  mapfile -d '' -t counts <"$attempt/changes.count"
  for ((at = 0; at < ${#raw[@]}; at += 2)); do
    read -r _ mode _ _ status <<<"${raw[at]}"
    IFS=$'\t' read -r added deleted _ <<<"${counts[at / 2]}"
    text::escape path "${raw[at + 1]}"
    printf '%s\t%s\t%s\t%s\t%s\n' "$status" "$mode" "$added" "$deleted" "$path"
  done >"$material/changes.tsv"
  for ((at = 0; at < ${#raw[@]}; at += 2)); do
    [[ ${raw[at]} == *' D' ]] || printf '%s\0' "${raw[at + 1]}"
  done | git::workspace "$workspace" -c core.symlinks=false -c core.bare=false --work-tree="$material" \
    checkout-index -z --stdin --prefix="files/"
}
