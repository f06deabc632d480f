#!/usr/bin/env bash
# Summary: Holds one review vote: every reviewer judges the same change, blind, and the ballots are collected sealed.
# Usage: hold-vote.sh VOTE-FOLDER ATTEMPT-FOLDER WORKSPACE BASE TREE
#   VOTE-FOLDER/electorate   NUL-separated records `MEMBER TAB program|agent TAB PATH`: a program, or an agent's ticket
#   ATTEMPT-FOLDER           holds diff.patch, changes.raw and changes.count of the change
#   Programs judge the changed files together in one sandbox; agents each in their own, on a view of the tree without
#   records and history. VOTE-FOLDER/ballots.tsv gets a line `MEMBER TAB EXIT TAB TEXT` for each; an agent's ballot is
#   in VOTE-FOLDER/NAME/out, NAME being the last part of its ticket's path. Nobody sees another's ballot: they leave
#   their sandboxes only through this command.
# Exit: 0 all were asked (what they said is the store's to read); 143 told to stop.
# Environment: ORKESTRA_GIT_DIR ORKESTRA_GRACE.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log process clock workspace COMMITTEE/vote

VOTE_AGAIN=()
readonly VOTE_LOSSES=5 # jobs of a ballot that may be lost one after the other (SAFETY/lib/launcher.bash)
readonly VOTE_PAUSE=5  # seconds before a third one is started, and twice as long each time

# vote::ask_agents FOLDER WORKSPACE PAIR...: pairs of member and ticket. Whose job was lost is asked again, with a pause
# from the second time on.
vote::ask_agents() {
  local folder=$1 workspace=$2 round
  VOTE_AGAIN=("${@:3}")
  for ((round = 1; round <= VOTE_LOSSES && ${#VOTE_AGAIN[@]} > 0; ++round)); do
    ((round < 3)) || clock::pause $((VOTE_PAUSE << (round - 3)))
    [[ -z $PROCESS_STOPPING ]] || return 0
    vote::_ask "$folder" "$workspace" "$round" "${VOTE_AGAIN[@]}"
  done
}

# The agents judge side by side, each in a sandbox of its own, on a view of the tree that none of them can write.
# VOTE_AGAIN gets the pairs of those who have to be asked again.
vote::_ask() {
  local folder=$1 workspace=$2 round=$3 member pids=() members=() tickets=() at status said
  VOTE_AGAIN=()
  shift 3
  while (($# > 1)); do
    member=$1
    process::start "$ORKESTRA_SCRIPTS/AGENTS/spawn.sh" ballot "$workspace/tree" "$2" \
      "$folder/${2##*/}/out" "$workspace" >"$folder/${2##*/}/ended"
    pids+=("$PROCESS_PID")
    members+=("$member")
    tickets+=("$2")
    shift 2
  done
  for at in "${!pids[@]}"; do
    PROCESS_PID=${pids[at]}
    process::wait status
    said=$(<"$folder/${tickets[at]##*/}/ended")
    if ((status == EX_LOST)); then
      log::write warn "the ballot of ${members[at]}: its job was lost: ${said#*$'\t'}"
      VOTE_AGAIN+=("${members[at]}" "${tickets[at]}")
      ((round == VOTE_LOSSES)) || continue
      said="was lost: ${said#*$'\t'}"
    fi
    printf '%s\t%s\t%s\n' "${members[at]}" "$status" "${said:+it $said}" >>"$folder/ballots.tsv"
  done
}

# Told to stop: every reviewer that still judges is told too.
vote::told() {
  local pid
  PROCESS_STOPPING=1
  for pid in $(jobs -p); do kill -TERM -- "-$pid" 2>/dev/null || :; done # one that has ended needs no telling
}

main() {
  (($# == 5)) || die "$EX_USAGE" "hold-vote.sh takes five arguments" "see the head of $0"
  local folder=$1 attempt=$2 workspace=$3
  error::need_variables ORKESTRA_GIT_DIR
  error::need_file "$folder/electorate"
  trap vote::told TERM INT HUP
  trap '' PIPE
  vote::read "$folder"
  ((${#VOTE_PROGRAMS[@]} == 0)) || vote::ask_programs "$folder" "$attempt" "$workspace"
  if ((${#VOTE_AGENTS[@]} > 0)) && [[ -z $PROCESS_STOPPING ]]; then
    workspace::show "$workspace" "$5"
    ((WORKSPACE_STATUS == 0)) || die "$EX_INTERNAL" "the reviewers cannot be shown the change: $WORKSPACE_WHY"
    keeper::end
    vote::ask_agents "$folder" "$workspace" "${VOTE_AGENTS[@]}"
  fi
  [[ -z $PROCESS_STOPPING ]] || exit 143
}

main "$@"
