#!/usr/bin/env bash
# Summary: runs one command in its sandbox where a launcher has brought it, and leaves how it ended in the job's folder
# Usage: remote.sh JOB
#   JOB is a folder on the file system that both sides see (made by lib/launcher.bash, which says what is in it). Command,
#   limits and settings are read there; the environment, which may hold keys, too. A job is begun once: whoever renames
#   `start` has it. `rc` is written last and in one piece; where there is none the job is lost.
#   Its run writes `alive` anew all the time. Where that has not changed for ORKESTRA_LAUNCHER_LEASE seconds, or the
#   folder is no longer at its place, the command is ended and nothing is said.
# Exit: 0 `rc` is written; 1 it is not.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use process clock SAFETY/limits SAFETY/rootfs SAFETY/walls

REMOTE_JOB='' REMOTE_BEAT='' REMOTE_SEEN=0 REMOTE_LEFT=''

main() {
  (($# == 1)) || die "$EX_USAGE" "remote.sh takes one argument, the folder of a job" "see the head of $0"
  local words=() status=0 walls=open
  REMOTE_JOB=$1
  error::enter "$REMOTE_JOB"
  mv -T -- start begun 2>/dev/null || die "$EX_FAILED" "this job was withdrawn, or begun before: $REMOTE_JOB"
  remote::settings
  process::forward
  trap limits::close EXIT
  limits::open own
  rootfs::load
  # shellcheck disable=SC2310  # a predicate
  ! has_walls || walls=walls
  printf '%s\t%s\n' "$HOSTNAME" "$walls" >where.new
  mv -fT -- where.new where
  if [[ $ORKESTRA_SANDBOX == required && -n $ROOTFS_REASON ]]; then
    die "$EX_FAILED" "the sandbox is required, and bubblewrap does not work on $HOSTNAME: $ROOTFS_REASON" "$ROOTFS_CURE"
  fi
  mapfile -d '' -t words <words
  # shellcheck disable=SC2034  # limits.bash
  LIMITS_ON_LOOK=remote::look
  clock::passed REMOTE_SEEN
  limits::run status "${words[@]}"
  trap '' TERM INT HUP
  if [[ -n $REMOTE_LEFT ]]; then die "$EX_FAILED" "its run is gone"; fi
  printf '%s\t%s\t%s\t%s\n' "$status" "$LIMITS_TOOK" "${PROCESS_STOPPING:-0}" "$LIMITS_REASON" >rc.new
  mv -fT -- rc.new rc
}

# What a run knows, as far as a sandbox needs it; what was found out about this node is kept for the next job here.
remote::settings() {
  local pairs=() pair
  mapfile -d '' -t pairs <settings
  for pair in "${pairs[@]}"; do
    [[ $pair =~ ^[A-Z_]+= ]] || die "$EX_DATA" "the job's settings hold what is no setting"
    export "${pair?}"
  done
  export ORKESTRA_RUNTIME=$ORKESTRA_WORKSPACES/nodes/${HOSTNAME//[^A-Za-z0-9.-]/_}
  (umask 077 && mkdir -p -- "$ORKESTRA_RUNTIME")
}

# Called at each look at the command: is the run that wants it still there?
remote::look() {
  local beat='' now
  clock::passed now
  if [[ $REMOTE_JOB/alive -ef alive ]]; then
    IFS= read -r beat <alive || : # it is being written
    if [[ $beat != "$REMOTE_BEAT" ]]; then REMOTE_BEAT=$beat REMOTE_SEEN=$now; fi
    ((now - REMOTE_SEEN > ORKESTRA_LAUNCHER_LEASE)) || return 0
  fi
  REMOTE_LEFT=1
  LIMITS_REASON='was given up by its run'
}

main "$@"
