#!/usr/bin/env bash
# Summary: The supervisor of one project's run: holds the project, starts the store and the workers, ends in order.
# Usage: orchestrator.sh start [--project P] [--workers N] [--only TASK]... [--stay] [--anyway]
#        orchestrator.sh once  [--project P] [--workers N]    for cron: silent unless something needs a person
#        orchestrator.sh stop  [--project P]                  ends the run that goes on, wherever it was started
#        orchestrator.sh status [--project P] [--json]
# Options:
#   --workers N   how many tasks at the same time (settings: ORKESTRA_WORKERS)
#   --only TASK   nothing but this task and what it waits for (may be given again)
#   --stay        wait for more when nothing is left to do
#   --anyway      go on although the project's check fails on the branch before anything was done
# Exit: 0 all done; 1 a task failed or needs a person; 16 another run holds the project; 64 65 69 73 75 78 as in the
#   README's table; 130, 143 stopped by a person.
#   The file is long so that a run's life, and above all its end, stands in one place.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log context process store git lock

readonly EARLY_DEATH=5  # seconds: a worker that lived less long died at once
readonly EARLY_DEATHS=3 # so many of them in a row end the run

OPTIONS=() ONLY=() STAY='' ANYWAY='' QUIET=''
PROJECT='' WORKERS=''
STORE_PID='' STOP_SIGNAL='' DRAINED=''
declare -A WORKER_OF=() BORN=() # by pid
DEATHS=0 WORKER_STATUS=0

run::parse() {
  while (($# > 0)); do
    case $1 in
      --project | --workers | --only)
        (($# > 1)) || die "$EX_USAGE" "$1 needs a value"
        case $1 in
          --project) PROJECT=$2 ;;
          --workers) WORKERS=$2 ;;
          --only) ONLY+=("$2") ;;
        esac
        shift
        ;;
      --stay) STAY=1 ;;
      --anyway) ANYWAY=1 ;;
      --json) OPTIONS+=(--json) ;;
      *) die "$EX_USAGE" "orchestrator.sh: unknown option '$1'" "see the head of $0" ;;
    esac
    shift
  done
  [[ -z $WORKERS ]] || error::need_number "$WORKERS" --workers
}

# --- a run ------------------------------------------------------------------------------------------------------

run::start() {
  trap '' PIPE # whoever read our lines may leave: the work goes on
  context::load "$PROJECT"
  [[ -z $WORKERS ]] || export ORKESTRA_WORKERS=$WORKERS
  ((ORKESTRA_WORKERS > 0 && ORKESTRA_WORKERS <= 256)) || die "$EX_USAGE" "--workers takes a number from 1 to 256"
  [[ -z $STAY ]] || export ORKESTRA_STAY=1
  export ORKESTRA_ONLY="${ONLY[*]}"
  lock::hold_project
  [[ -n $LOCK_HELD ]] || run::held
  run::folders
  run::look_at_sandbox
  trap 'run::told 15' TERM HUP
  trap 'run::told 2' INT
  trap run::last EXIT
  "$ORKESTRA_SCRIPTS/CORE/land.sh" recover
  run::open_store
  run::work
  run::finish
}

run::held() {
  [[ -z $QUIET ]] || exit 0
  die "$EX_HELD" "another run holds this project: $LOCK_HOLDER" "wait for it, or stop it: orkestra stop --project $ORKESTRA_PROJECT_NAME"
}

run::folders() {
  mkdir -p -- "$ORKESTRA_LOGS" "$ORKESTRA_WORKSPACES" || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_LOGS or $ORKESTRA_WORKSPACES"
  (umask 077 && mkdir -p -- "$ORKESTRA_RUNTIME") || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_RUNTIME"
  export ORKESTRA_RUN=$ORKESTRA_RUNTIME/run
  rm -rf -- "$ORKESTRA_RUN"
  mkdir -m 700 -- "$ORKESTRA_RUN"
}

# Whether bubblewrap works here is found out anew for each run, and said once.
run::look_at_sandbox() {
  local why
  [[ $ORKESTRA_SANDBOX != off ]] || return 0
  if why=$("$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" --probe 2>&1); then return; fi
  [[ $ORKESTRA_SANDBOX == auto ]] || die "$EX_CONFIG" "ORKESTRA_SANDBOX is required, and ${why#orkestra: }"
  warn "agents run without a sandbox: ${why#orkestra: }"
}

# The store says `ready` once it has read queue and records; else its own words have been printed and its exit is ours.
run::open_store() {
  local word='' status=0
  mkfifo -m 600 -- "$ORKESTRA_RUN/ready"
  set -m
  setpriv --pdeathsig KILL -- "$ORKESTRA_PYTHON" \
    -m orkestra_shim.store --runtime "$ORKESTRA_RUN" >"$ORKESTRA_RUN/ready" </dev/null &
  STORE_PID=$!
  set +m
  read -r word <"$ORKESTRA_RUN/ready" || word=''
  if [[ $word != ready ]]; then
    wait "$STORE_PID" || status=$?
    STORE_PID=''
    exit "$((status == 0 ? EX_INTERNAL : status))"
  fi
  # shellcheck disable=SC2034  # for store.bash
  STORE_ON_LOST=run::store_lost
  store::connect control
}

# The store's own words are printed before it is gone; its exit is ours.
run::store_lost() {
  local status=0
  wait "$STORE_PID" || status=$?
  run::store_ended "$status"
}

run::store_ended() {
  STORE_PID=''
  log::write error "the store ended with $1"
  (($1 == 0 || $1 > 128)) || exit "$1"
  die "$EX_INTERNAL" "the store of this run is gone (exit $1)" "start again: nothing that landed is lost"
}

# The project's own check on the branch as it is: a red one is nobody's fault later.
run::baseline() {
  local head status=0 workspace=$ORKESTRA_WORKSPACES/w0 log=$ORKESTRA_PROJECT/logs/execution/baseline.log seconds
  git::head head
  mkdir -p -- "$workspace" "${log%/*}"
  "$ORKESTRA_SCRIPTS/CORE/workspace.sh" prepare "$workspace" "$head"
  seconds=$(<"$ORKESTRA_RUNTIME/baseline-timeout")
  ORKESTRA_BINDS=$ORKESTRA_RUNTIME/baseline-binds process::run status "$ORKESTRA_SCRIPTS/SAFETY/check.sh" "$workspace" \
    "$ORKESTRA_RUNTIME/baseline-check" "$log" "$seconds"
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  ((status != 0)) || return 0
  if [[ -n $ANYWAY ]]; then
    warn "the project's check fails on the branch as it is (exit $status): going on, as asked"
    return
  fi
  die "$EX_FAILED" "the project's check fails on the branch $ORKESTRA_BRANCH before anything was done (exit $status): see $log" \
    "mend the branch or \"check\" in config/project.json, or go on with: orkestra start --anyway"
}

run::worker() {
  local number=$1
  store::ask worker "w$number"
  set -m
  setpriv --pdeathsig KILL -- "$ORKESTRA_SCRIPTS/CORE/worker.sh" "$number" </dev/null &
  WORKER_OF[$!]=$number BORN[$!]=$SECONDS
  set +m
}

run::work() {
  local ready has_check number pid status
  store::ask plan
  ready=${STORE_REPLY[0]} has_check=${STORE_REPLY[2]}
  [[ -z ${STORE_REPLY[3]:-} ]] || warn "${STORE_REPLY[3]}"
  ((ready > 0)) || [[ -n $STAY ]] || return 0
  if ((has_check == 1 && ready > 0)); then run::baseline; fi
  for ((number = 1; number <= ORKESTRA_WORKERS; ++number)); do
    [[ -z $STOP_SIGNAL ]] || break
    run::worker "$number"
  done
  while ((${#WORKER_OF[@]} > 0)); do
    [[ -z $STOP_SIGNAL ]] || run::stop_claims
    status=0 pid=''
    # Of a child that was killed Bash would tell a person, with a line number.
    wait -n -p pid "$STORE_PID" "${!WORKER_OF[@]}" 2>/dev/null || status=$?
    if [[ -z ${pid:-} ]]; then
      run::bury_the_lost # a signal, not a child: run::told has told the workers, who end within the grace period
    elif [[ $pid == "$STORE_PID" ]]; then
      run::store_ended "$status"
    else
      run::buried "$pid" "$status"
    fi
  done
}

# Bash 5.2 may lose a child that ends just as a signal comes, and then says at once, again and again, that it knows no
# such job.
run::bury_the_lost() {
  local pid
  kill -0 "$STORE_PID" 2>/dev/null || run::store_ended 255
  for pid in "${!WORKER_OF[@]}"; do
    kill -0 "$pid" 2>/dev/null || run::buried "$pid" 255
  done
}

# A worker ended: in order, or it is replaced; one that dies at once again and again ends the run.
run::buried() {
  local pid=$1 status=$2 number=${WORKER_OF[$1]} age=$((SECONDS - BORN[$1]))
  unset "WORKER_OF[$pid]" "BORN[$pid]"
  if ((status == 0)) || [[ -n $STOP_SIGNAL ]]; then return; fi
  log::write warn "worker $number ended with $status after $age seconds"
  if ((age < EARLY_DEATH)); then ((++DEATHS)); else DEATHS=1; fi
  if ((DEATHS >= EARLY_DEATHS)); then
    WORKER_STATUS=$((status > 128 ? EX_INTERNAL : status))
    warn "workers end at once again and again (last: exit $status): the run stops; see $ORKESTRA_LOGS/orchestrator.log"
    store::ask drain
    return
  fi
  run::worker "$number"
}

# --- stopping ---------------------------------------------------------------------------------------------------

# The first signal ends the attempts within the grace period and keeps their work; a second one ends all at once.
run::told() {
  local signal=$1
  if [[ -n $STOP_SIGNAL ]]; then
    run::kill_all
    exit "$STOP_SIGNAL"
  fi
  STOP_SIGNAL=$((128 + signal))
  say 'stopping: what is under way is kept (once more to stop at once)'
  process::stop TERM # the baseline check, if it runs
  run::stop_workers
}

# A worker in the middle of a landing does not hear a signal: it is told when it asks for its next task.
run::stop_claims() {
  [[ -z $DRAINED ]] || return 0
  DRAINED=1
  store::ask drain
  run::stop_workers # also one that was started while the signal came
}

run::stop_workers() {
  local pid
  for pid in "${!WORKER_OF[@]}"; do kill -TERM -- "$pid" 2>/dev/null || :; done # one that has ended needs no telling
}

run::kill_all() {
  local pid
  # Otherwise Bash tells a person, with a line number, what was killed here.
  disown -a
  for pid in "${!WORKER_OF[@]}" ${STORE_PID:+"$STORE_PID"}; do kill -KILL -- "-$pid" 2>/dev/null || :; done # as above
}

run::last() {
  run::kill_all
  [[ -z ${ORKESTRA_RUN:-} ]] || rm -rf -- "$ORKESTRA_RUN"
  lock::forget_holder
}

# What has no change of its own (failed, waiting for a person, nothing to do) and the state of the queue: one commit.
run::finish() {
  local status text
  run::land_rest
  store::ask summary
  status=${STORE_REPLY[0]} text=${STORE_REPLY[1]}
  store::ask bye
  wait "$STORE_PID" || log::write warn "the store ended with $?"
  STORE_PID=''
  if [[ -z $QUIET ]]; then say_lines "$text"; elif [[ $status != 0 ]]; then say_lines "$text" >&7; fi
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  ((WORKER_STATUS == 0)) || exit "$WORKER_STATUS"
  exit "$status"
}

# A person may commit in between: then it is done again on top of that, a few times.
run::land_rest() {
  local head status tries said
  for ((tries = 0; tries < 5; ++tries)); do
    store::ask finish
    [[ ${STORE_REPLY[0]} != 0 ]] || return 0
    exec 8>>"$ORKESTRA_GIT_DIR/orkestra/landing.lock"
    flock 8
    git::head head
    process::run status "$ORKESTRA_SCRIPTS/CORE/land.sh" move "$head" "$head" "${STORE_REPLY[@]:1:2}" \
      >"$ORKESTRA_RUN/landed"
    exec 8>&-
    said=$(<"$ORKESTRA_RUN/landed")
    if ((status == 0)); then
      store::ask recorded "$said"
      return
    fi
    ((status == 20)) || break
  done
  warn "the last records of this run are kept for the next one: ${said:-the landing ended with $status}"
}

# --- other verbs ------------------------------------------------------------------------------------------------

# Progress goes nowhere; what needs a person goes to stderr and, at the end, to stdout: cron sends it as a mail.
run::once() {
  QUIET=1
  exec 7>&1 >/dev/null
  run::start
}

run::stop() {
  context::load "$PROJECT"
  lock::hold_project
  if [[ -n $LOCK_HELD ]]; then
    say "no run is going on in $ORKESTRA_PROJECT_NAME"
    return
  fi
  [[ $LOCK_PID =~ ^[0-9]+$ ]] || die "$EX_FAILED" "the run that holds $ORKESTRA_PROJECT_NAME is not on this machine: $LOCK_HOLDER"
  kill -TERM -- "$LOCK_PID" 2>/dev/null || : # it may be ending already
  if ! flock --timeout "$((ORKESTRA_GRACE + 20))" 9; then
    kill -KILL -- "$LOCK_PID" 2>/dev/null || : # as above; all its children go with it
    flock --timeout 20 9 || die "$EX_FAILED" "the run (process $LOCK_PID) does not end" "see what holds it: ps -fp $LOCK_PID"
  fi
  say "the run in $ORKESTRA_PROJECT_NAME is stopped; what was under way is kept"
}

main() {
  local verb=${1:-}
  case $verb in
    start | once | stop) shift ;;
    status)
      shift
      run::parse "$@"
      context::python
      exec "$ORKESTRA_PYTHON" -m orkestra_shim status \
        ${PROJECT:+--project "$PROJECT"} "${OPTIONS[@]}"
      ;;
    *) die "$EX_USAGE" "orchestrator.sh: '$verb' is none of start, once, stop, status" "see the head of $0" ;;
  esac
  run::parse "$@"
  "run::$verb"
}

main "$@"
