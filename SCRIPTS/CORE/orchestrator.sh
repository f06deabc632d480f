#!/usr/bin/env bash
# Summary: The supervisor of one project's run: holds the project, starts the store and the workers, ends in order.
# Usage: orchestrator.sh start [--project P] [--workers N] [--only TASK]... [--until TIME] [--max-cost USD] [--stay] [--no-wait]
#          [--anyway] [--dry-run]
#        orchestrator.sh once  [--project P | --all] [--workers N]    for cron: silent unless something needs a person
#        orchestrator.sh stop  [--project P]                  ends the run that goes on, wherever it was started
#        orchestrator.sh status [--project P] [--json] [--since TIME]
# Options:
#   --workers N   how many tasks at the same time (settings: ORKESTRA_WORKERS)
#   --only TASK   nothing but this task and what it waits for (may be given again)
#   --until TIME  begin nothing from then on (07:00, or an ISO time); what is under way is brought to its end
#   --max-cost USD  begin nothing that would cost more than is left of these dollars
#   --dry-run     say in which order who would do what, and what it may cost; do nothing
#   --stay        wait for more when nothing is left to do
#   --no-wait     where all that is left waits for a limit to end: leave with 75 and say when, as `once` does
#   --quiet       no progress; the summary only when something needs a person
#   --anyway      go on although the project's check fails on the branch before anything was done
# Exit: 0 all done; 1 a task failed or needs a person; 16 another run holds the project; 64 65 69 73 75 78 as in the
#   table of docs/scripting.md; 130, 143 stopped by a person.
#   The file is long so that a run's life, and above all its end, stands in one place.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log clock context process store git lock hear SAFETY/leftovers SAFETY/cgroup SAFETY/limits SAFETY/launcher

readonly EARLY_DEATH=5    # seconds: a worker that lived less long died at once
readonly EARLY_DEATHS=3   # so many of them in a row end the run
readonly LOST_BASELINES=3 # so many jobs of the first check are lost, and the run ends
readonly DAY=86400        # seconds between two words of `once` about an environment that is not there
readonly LOOK_ROUND=5     # seconds between two looks when nothing rings: a trap that came too late for `read` is run then

ONLY=() UNTIL='' MAX_COST='' STAY='' WAIT=1 ANYWAY='' QUIET=''
PROJECT='' WORKERS='' REMOTE=''
STORE_PID='' MONITOR_PID='' COURIER_PID='' STOP_SIGNAL='' DRAINED='' INTERRUPTIBLE='' BELL=''
# Workers by the number of their life, which the store rings with when the worker is gone.
declare -A PID_OF=() WORKER_OF=() BORN=()
BASELINES=0 LIVES=0 DEATHS=0 WORKER_STATUS=0 NOW=0 PATIENCE=0

run::parse() {
  while (($# > 0)); do
    case $1 in
      --project | --workers | --only | --until | --max-cost)
        [[ -n ${2:-} ]] || die "$EX_USAGE" "orchestrator.sh: $1 needs a value" "see the head of $0"
        case $1 in
          --project) PROJECT=$2 ;;
          --workers) WORKERS=$2 ;;
          --only) ONLY+=("$2") ;;
          --until) UNTIL=$2 ;;
          --max-cost) MAX_COST=$2 ;;
        esac
        shift
        ;;
      --stay) STAY=1 ;;
      --no-wait) WAIT=0 ;;
      --anyway) ANYWAY=1 ;;
      --quiet) QUIET=1 ;;
      *) die "$EX_USAGE" "orchestrator.sh: unknown option '$1'" "see the head of $0" ;;
    esac
    shift
  done
  [[ -z $WORKERS ]] || error::need_number "$WORKERS" --workers
}

# --- a run ------------------------------------------------------------------------------------------------------

run::start() {
  trap '' PIPE # whoever read our lines may leave: the work goes on
  [[ -z $QUIET ]] || exec 7>&1 >/dev/null
  context::load "$PROJECT"
  hear::begin
  trap hear::end EXIT
  [[ -z $WORKERS ]] || export ORKESTRA_WORKERS=$WORKERS
  ((ORKESTRA_WORKERS > 0 && ORKESTRA_WORKERS <= 256)) || die "$EX_USAGE" "--workers takes a number from 1 to 256"
  export ORKESTRA_STAY=${STAY:-0} ORKESTRA_WAIT=$WAIT ORKESTRA_ONLY="${ONLY[*]}" ORKESTRA_UNTIL=$UNTIL
  export ORKESTRA_MAX_COST=$MAX_COST
  lock::hold_project
  [[ -n $LOCK_HELD ]] || run::held
  run::folders
  leftovers::end_unborn "$ORKESTRA_WORKSPACES"
  run::look_at_sandbox
  run::look_at_launcher
  trap 'run::told 15' TERM HUP
  trap 'run::told 2' INT
  trap run::last EXIT
  # Of a child that dies of a signal Bash tells a person, with a line number, unless that signal has a trap.
  # shellcheck disable=SC2173  # not to trap it
  trap : KILL
  run::keep_gc_out
  lock::keep_prune_out
  run::start_monitor
  run::start_notifier
  "$ORKESTRA_SCRIPTS/CORE/land.sh" recover
  run::open_store
  store::ask remote
  [[ ${STORE_REPLY[0]} != 1 ]] || REMOTE=1
  run::visit_remote start
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  run::work
  run::finish
}

run::held() {
  die "$EX_HELD" "another run holds this project: $LOCK_HOLDER" "wait for it, or stop it: orkestra stop --project $ORKESTRA_PROJECT_NAME"
}

# See lock.bash. A gc that goes on takes minutes at most.
run::keep_gc_out() {
  local said=''
  while :; do
    lock::keep_gc_out
    [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
    [[ -n $LOCK_GC_HOLDER ]] || return 0
    [[ -n $said ]] || say "waiting for git gc to end ($LOCK_GC_HOLDER)"
    said=1
    sleep 1
  done
}

run::folders() {
  mkdir -p -- "$ORKESTRA_LOGS" "$ORKESTRA_WORKSPACES" || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_LOGS or $ORKESTRA_WORKSPACES" "see their owner and rights, and the space left"
  (umask 077 && mkdir -p -- "$ORKESTRA_RUNTIME") || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_RUNTIME" "see its owner and rights, and the space left"
  export ORKESTRA_RUN=$ORKESTRA_RUNTIME/run
  rm -rf -- "$ORKESTRA_RUN" "$ORKESTRA_RUNTIME"/w*/now
  mkdir -m 700 -- "$ORKESTRA_RUN"
}

# Whether bubblewrap works here is found out anew for each run, and said once.
run::look_at_sandbox() {
  local why status=0
  if [[ $ORKESTRA_SANDBOX == off ]]; then
    run::compile
    return
  fi
  why=$("$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" --probe 2>&1) || status=$?
  ((status != 0)) || return 0
  # Only where bubblewrap cannot work may agents do without it.
  ((status == EX_UNAVAILABLE)) || die "$status" "${why#orkestra: }"
  [[ $ORKESTRA_SANDBOX == auto ]] || die "$EX_CONFIG" "ORKESTRA_SANDBOX is required, and ${why#orkestra: }"
  warn "agents run without a sandbox: ${why#orkestra: }"
  run::compile
}

# Where what has changed is looked for after each attempt, Python has nothing left to write beside its own source. One that
# may not write there cannot be made to by an agent either.
run::compile() {
  local package=$ORKESTRA_ROOT/orkestra_shim
  [[ -d $package ]] || package=$ORKESTRA_ROOT # installed with pip
  "$ORKESTRA_PYTHON" -m compileall -q "$package" >/dev/null 2>&1 || log::write info 'Python keeps nothing compiled here'
}

# The nodes are looked at anew, and what had to be left of folders that a node nobody reached could write to goes.
run::look_at_launcher() {
  [[ -n ${ORKESTRA_LAUNCHER:-} ]] || return 0
  local why status=0
  launcher::resolve
  why=$("$LAUNCHER_FILE" probe 2>&1) || status=$?
  ((status == 0)) || die "$EX_UNAVAILABLE" "${ORKESTRA_LAUNCHER%% *} cannot start jobs: ${why#orkestra: }" "mend that, or take ORKESTRA_LAUNCHER out of CONFIG/settings.env"
  fresh::remove "$ORKESTRA_WORKSPACES/nodes"
  launcher::forget "$ORKESTRA_WORKSPACES/apart"
}

# What keeps an eye on this run holds nothing of it, neither its lock nor whoever reads its output; no run depends on it.
run::start_monitor() {
  set -m
  setpriv --pdeathsig KILL -- "$ORKESTRA_SCRIPTS/CORE/monitor.sh" watch "$$" \
    </dev/null >/dev/null 2>>"$ORKESTRA_LOGS/monitor.log" 7>&- 9>&- &
  MONITOR_PID=$!
  set +m
}

# Tells a person's own command what happens. It has its own end, since it tells of the run's: no run waits for it, and it
# holds nothing of one.
run::start_notifier() {
  [[ -n ${ORKESTRA_NOTIFY:-} ]] || return 0
  set -m
  "$ORKESTRA_PYTHON" -m orkestra_shim.notify "$$" </dev/null >/dev/null 2>>"$ORKESTRA_LOGS/notify.log" 7>&- 9>&- &
  set +m
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
    process::await status "$STORE_PID"
    STORE_PID=''
    exit "$((status == 0 ? EX_INTERNAL : status))"
  fi
  # shellcheck disable=SC2034  # for store.bash
  STORE_ON_LOST=run::store_lost
  store::connect control
  store::open BELL "$ORKESTRA_RUN/bell" r
}

# The store's own words are printed before it is gone; its exit is ours.
run::store_lost() {
  local status
  process::await status "$STORE_PID"
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
  local head status workspace=$ORKESTRA_WORKSPACES/w0 log=$ORKESTRA_PROJECT/logs/execution/baseline.log seconds said
  git::head head
  mkdir -p -- "$workspace" "${log%/*}"
  export ORKESTRA_BINDS=$ORKESTRA_RUNTIME/baseline-binds
  INTERRUPTIBLE=1
  process::run status "$ORKESTRA_SCRIPTS/CORE/workspace.sh" prepare "$workspace" "$head"
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  ((status == 0)) || exit "$status" # it has said why
  seconds=$(<"$ORKESTRA_RUNTIME/baseline-timeout")
  process::run status "$ORKESTRA_SCRIPTS/SAFETY/furnish.sh" "$workspace" "$head" "$ORKESTRA_RUNTIME/setup" \
    "${log%/*}/setup-w0.log" "$seconds" >"$workspace/result"
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  if ((status != 0)); then
    said=$(<"$workspace/result")
    if [[ $said == 'was lost: '* ]]; then
      run::baseline_lost "the setup of a workspace $said"
      return
    fi
    die "$EX_CONFIG" "the setup of a workspace ${said:-failed (exit $status)}: see ${log%/*}/setup-w0.log" \
      'mend "setup" in config/project.json, or what it needs, then start again'
  fi
  process::run status "$ORKESTRA_SCRIPTS/SAFETY/check.sh" "$workspace" \
    "$ORKESTRA_RUNTIME/baseline-check" "$log" "$seconds" >"$workspace/result"
  INTERRUPTIBLE=''
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  ((status != 0)) || return 0
  said=$(<"$workspace/result")
  if [[ $said == 'was lost: '* ]]; then
    run::baseline_lost "the project's check $said"
    return
  fi
  said=${said:-exit $status}
  if [[ -n $ANYWAY ]]; then
    warn "the project's check fails on the branch as it is ($said): going on, as asked"
    return
  fi
  die "$EX_FAILED" "the project's check fails on the branch $ORKESTRA_BRANCH before anything was done ($said): see $log" \
    "mend the branch or \"check\" in config/project.json, or go on with: orkestra start --anyway"
}

# What Bash says about its children is not to be relied on: it may lose one that ends just as a signal comes. So each
# worker holds the pipe on which it asks the store from before it is born, the store rings with the number of its life
# when nobody holds that pipe any more (the worker, and what it had begun), and only then it is waited for.
run::worker() {
  local number=$1 life
  store::ask worker "w$number" "$((++LIVES))"
  store::open life "$ORKESTRA_RUN/w$number.req" w
  set -m
  setpriv --pdeathsig KILL -- "$ORKESTRA_SCRIPTS/CORE/worker.sh" "$number" </dev/null &
  PID_OF[$LIVES]=$! WORKER_OF[$LIVES]=$number
  set +m
  exec {life}>&-
  clock::passed NOW
  BORN[$LIVES]=$NOW
}

run::work() {
  local ready has_check number missing
  store::ask plan
  for missing in "${STORE_REPLY[@]:4}"; do warn "$missing"; done
  ready=${STORE_REPLY[0]} has_check=${STORE_REPLY[2]}
  [[ ${STORE_REPLY[3]} == 0 ]] || run::paused
  ((ready > 0)) || [[ -n $STAY ]] || return 0
  if ((has_check == 1 && ready > 0)); then run::baseline; fi
  for ((number = 1; number <= ORKESTRA_WORKERS; ++number)); do
    [[ -z $STOP_SIGNAL ]] || break
    run::worker "$number"
  done
  run::start_courier
  while ((${#PID_OF[@]} > 0)); do
    [[ -z $STOP_SIGNAL ]] || run::end_workers
    run::listen
  done
  run::end_courier
}

# A job that got lost says nothing about the branch. If that is how it is here, it is better known before the work.
run::baseline_lost() {
  ((++BASELINES < LOST_BASELINES)) || die "$EX_UNAVAILABLE" "$1" "see whether jobs can be run so: $ORKESTRA_LAUNCHER hostname"
  warn "$1: again"
  run::baseline
}

run::paused() {
  [[ -z $QUIET ]] || exit 0
  die "$EX_FAILED" "the project $ORKESTRA_PROJECT_NAME is paused" "orkestra resume --project $ORKESTRA_PROJECT_NAME"
}

# Waits until the bell rings: a life that is over, a rest of a run that waits, what it waits for, or an empty line from
# run::told. A signal that comes after Bash has looked for traps and before it sleeps is not heard until something else
# happens: that is no later than LOOK_ROUND.
run::listen() {
  local life='' status=0
  lock::keep_gc_out
  IFS= read -r -t "$LOOK_ROUND" life <&"$BELL" || status=$?
  ((status != 1)) || run::store_lost
  if [[ $life == rest ]]; then
    [[ -n $STOP_SIGNAL ]] || run::land_rest
  elif [[ $life == told ]]; then
    store::ask told
    say "${STORE_REPLY[0]}"
    log::write info "${STORE_REPLY[0]}"
  elif [[ -n $life && -n ${PID_OF[$life]:-} ]]; then
    run::bury "$life"
  fi
}

# A worker ended: in order, or it is replaced; one that cannot write (it has said why: another one would meet the same
# disk), or dies at once again and again, ends the run.
run::bury() {
  local life=$1 number=${WORKER_OF[$1]} status age
  process::await status "${PID_OF[$life]}"
  clock::passed NOW
  age=$((NOW - BORN[$life]))
  unset "PID_OF[$life]" "WORKER_OF[$life]" "BORN[$life]"
  if ((status == 0)) || [[ -n $STOP_SIGNAL ]]; then return; fi
  if ((status == EX_DROPPED)); then
    run::worker "$number"
    return
  fi
  log::write warn "worker $number ended with $status after $age seconds"
  if ((age < EARLY_DEATH)); then ((++DEATHS)); else DEATHS=1; fi
  if ((status == EX_CONFIG || status == EX_CANNOT_WRITE)); then
    WORKER_STATUS=$status
    store::ask drain
    return
  fi
  ((WORKER_STATUS == 0)) || return 0
  if ((DEATHS >= EARLY_DEATHS)); then
    WORKER_STATUS=$((status > 128 ? EX_INTERNAL : status))
    warn "workers end at once again and again (last: exit $status): the run stops; see $ORKESTRA_LOGS/orchestrator.log"
    store::ask drain
    return
  fi
  run::worker "$number"
}

# --- the remote -------------------------------------------------------------------------------------------------

# run::visit_remote WHEN: what is due there before the work begins (start), when it is done (end), or when it was
# stopped (stop), where everything has to be quick. What did not work is in the summary.
run::visit_remote() {
  local limit=$ORKESTRA_REMOTE_TIMEOUT
  [[ -n $REMOTE ]] || return 0
  if [[ $1 == stop ]] && ((limit > ORKESTRA_GRACE)); then limit=$((ORKESTRA_GRACE > 0 ? ORKESTRA_GRACE : 1)); fi
  store::ask courier "$1"
  ORKESTRA_REMOTE_TIMEOUT=$limit process::start "$ORKESTRA_SCRIPTS/CORE/courier.sh"
  [[ $1 == stop ]] || INTERRUPTIBLE=1
  run::await_courier
}

# Beside the workers, so that none of them waits for the network.
run::start_courier() {
  [[ -n $REMOTE && -z $STOP_SIGNAL ]] || return 0
  store::ask courier run
  set -m
  setpriv --pdeathsig KILL -- "$ORKESTRA_SCRIPTS/CORE/courier.sh" </dev/null &
  COURIER_PID=$!
  set +m
}

# It finishes what it is at; where the run was stopped, or is meanwhile, it leaves that.
run::end_courier() {
  [[ -n $COURIER_PID ]] || return 0
  store::ask courier-end
  PROCESS_PID=$COURIER_PID COURIER_PID='' INTERRUPTIBLE=1
  [[ -z $STOP_SIGNAL ]] || process::tell_to_stop
  run::await_courier
}

run::await_courier() {
  local status
  process::wait status
  # shellcheck disable=SC2034  # for process.bash: what is started from here on is not told to stop
  INTERRUPTIBLE='' PROCESS_STOPPING=''
  ((status == 0)) || log::write warn "the courier ended with $status"
}

# --- stopping ---------------------------------------------------------------------------------------------------

# The first signal ends the attempts within the grace period and keeps their work. Here it is only taken down; what
# follows is done where nothing else is in the middle of something. Ctrl-C while it stops ends all at once.
run::told() {
  local signal=$1
  if [[ -n $STOP_SIGNAL ]]; then
    ((signal == 2)) || return 0 # `stop` twice is `stop`
    exit "$STOP_SIGNAL"
  fi
  STOP_SIGNAL=$((128 + signal))
  run::say_what_is_under_way
  [[ -z $INTERRUPTIBLE ]] || process::tell_to_stop
  [[ -z $BELL ]] || printf '\n' >"$ORKESTRA_RUN/bell"
}

# What a person who stops the run waits for.
run::say_what_is_under_way() {
  local now task stage tasks=''
  for now in "$ORKESTRA_RUNTIME"/w*/now; do
    IFS=$'\t' read -r task _ _ stage _ 2>/dev/null <"$now" || continue # it is at nothing
    tasks+="${tasks:+, }$task ($stage)"
  done
  say "stopping${tasks:+: $tasks within $ORKESTRA_GRACE seconds}; what is under way is kept (Ctrl-C stops at once)"
}

# Once: no claims any more, and the workers are told. A worker in the middle of a landing does not hear a signal; it is
# told when it asks for its next task. One that did not hear it is told again after the grace period, and in the end
# whoever is left is killed.
run::end_workers() {
  clock::passed NOW
  if [[ -z $DRAINED ]]; then
    DRAINED=1
    store::ask drain
    run::tell_workers TERM
    PATIENCE=$((NOW + ORKESTRA_GRACE + 2))
  elif ((NOW >= PATIENCE)); then
    if [[ $DRAINED == 1 ]]; then run::tell_workers TERM; else run::tell_workers KILL; fi
    DRAINED=2
    PATIENCE=$((NOW + ORKESTRA_GRACE + 10))
  fi
}

run::tell_workers() {
  local pid
  for pid in "${PID_OF[@]}"; do kill -"$1" -- "$pid" 2>/dev/null || :; done # one that has ended needs no telling
}

run::kill_all() {
  local pid
  for pid in "${PID_OF[@]}" ${STORE_PID:+"$STORE_PID"} ${PROCESS_PID:+"$PROCESS_PID"} ${MONITOR_PID:+"$MONITOR_PID"} \
    ${COURIER_PID:+"$COURIER_PID"}; do
    kill -KILL -- "-$pid" 2>/dev/null || : # as above
  done
  leftovers::end "$ORKESTRA_WORKSPACES" now
  leftovers::end_unborn "$ORKESTRA_WORKSPACES"
  cgroup::sweep
}

run::last() {
  trap '' TERM INT HUP
  run::kill_all
  [[ -z ${ORKESTRA_RUN:-} ]] || rm -rf -- "$ORKESTRA_RUN" "$ORKESTRA_RUNTIME"/w*/{env,ballots} # where keys of agents stand
  lock::let_gc_in
  lock::let_prune_in
  lock::forget_holder
  hear::end
}

# What has no change of its own (failed, waiting for a person, nothing to do) and the state of the queue: one commit.
run::finish() {
  local status text ended
  run::land_rest
  if [[ -z $STOP_SIGNAL ]]; then run::visit_remote end; else run::visit_remote stop; fi
  store::ask summary
  status=${STORE_REPLY[0]} text=${STORE_REPLY[1]}
  store::ask bye
  process::await ended "$STORE_PID"
  STORE_PID=''
  ((ended == 0)) || log::write warn "the store ended with $ended"
  if [[ -z $QUIET ]]; then say_lines "$text"; elif [[ $status != 0 ]]; then say_lines "$text" >&7; fi
  [[ -z $STOP_SIGNAL ]] || exit "$STOP_SIGNAL"
  ((WORKER_STATUS == 0)) || exit "$WORKER_STATUS"
  exit "$status"
}

# Also in the middle of a run that stays. A person may commit in between: then it is done again on top of that, a few times.
run::land_rest() {
  local head new status tries said
  for ((tries = 0; tries < 5; ++tries)); do
    # Before the numbers of the records are drawn: an undo lands by itself, whether or not a run goes on.
    exec 8>>"$ORKESTRA_GIT_DIR/orkestra/landing.lock"
    process::run status flock 8
    store::ask finish
    if [[ ${STORE_REPLY[0]} == none ]]; then
      exec 8>&-
      return
    fi
    head=${STORE_REPLY[0]} new=${STORE_REPLY[2]}
    if [[ ${STORE_REPLY[1]} == tree ]]; then new=$("$ORKESTRA_SCRIPTS/CORE/land.sh" commit "$head" "${STORE_REPLY[@]:2:2}") || exit; fi
    process::run status "$ORKESTRA_SCRIPTS/CORE/land.sh" move "$head" "$new" \
      >"$ORKESTRA_RUN/landed"
    said=$(<"$ORKESTRA_RUN/landed")
    if ((status == 0)); then store::ask recorded "$said"; else store::ask unrecorded; fi
    exec 8>&-
    ((status != 0)) || return 0
    ((status == 20)) || break
  done
  if ((status == EX_CANNOT_WRITE)); then WORKER_STATUS=$status; fi
  warn "the last records are kept for the next time: ${said:-the landing ended with $status}"
}

# --- other verbs ------------------------------------------------------------------------------------------------

# A run may have been started with other settings than we have here, and may have been killed: whatever agents are left
# in the project's workspaces end, too.
run::stop() {
  local said=''
  context::load "$PROJECT"
  lock::keep_runs_out
  if [[ -z $LOCK_HELD ]]; then
    run::tell_to_end
    said="the run in $ORKESTRA_PROJECT_NAME is stopped; what was under way is kept"
  fi
  lock::let_prune_in
  lock::forget_holder
  leftovers::end_of_any "$ORKESTRA_WORKSPACES" now
  leftovers::end_unborn "$ORKESTRA_WORKSPACES"
  cgroup::sweep
  local workspace
  for workspace in "$ORKESTRA_WORKSPACES"/w*; do launcher::fence "$workspace"; done
  say "${said:-no run is going on in $ORKESTRA_PROJECT_NAME}"
}

# A run ends those that do not hear after twice the grace period (run::end_workers); one that does not do even that, is
# killed.
run::tell_to_end() {
  local patience=$((2 * ORKESTRA_GRACE + 20))
  [[ $LOCK_PID =~ ^[0-9]+$ ]] || die "$EX_FAILED" "the run that holds $ORKESTRA_PROJECT_NAME is not on this machine: $LOCK_HOLDER" \
    "stop it there"
  kill -TERM -- "$LOCK_PID" 2>/dev/null || : # it may be ending already
  # shellcheck disable=SC2310  # a predicate
  if lock::await 1; then return; fi
  say "stopping the run in $ORKESTRA_PROJECT_NAME (process $LOCK_PID): what is under way has $ORKESTRA_GRACE seconds to end"
  # shellcheck disable=SC2310  # a predicate
  if lock::await "$patience"; then return; fi
  kill -KILL -- "$LOCK_PID" 2>/dev/null || : # as above; all its children go with it
  # shellcheck disable=SC2310  # a predicate
  lock::await 20 || die "$EX_FAILED" "the run (process $LOCK_PID) does not end" "see what holds it: ps -fp $LOCK_PID"
}

# cron calls again and again. What has to be done before anything works is said once a day; in a terminal always.
run::need_environment() {
  local said status=0 last=0 file=${ORKESTRA_HOME:-${ORKESTRA_SCRIPTS%/*}}/CONFIG/RUNTIME/said/set-up
  # shellcheck disable=SC2310  # it ends with die
  said=$(context::python 2>&1) || status=$?
  if ((status == 0)); then
    context::python
    [[ ! -e $file ]] || rm -f -- "$file"
    return
  fi
  [[ ! -f $file ]] || read -r last <"$file" || : # half a line is no time
  [[ $last =~ ^[0-9]{1,12}$ ]] || last=0
  if [[ -t 2 ]] || ((EPOCHSECONDS - last >= DAY || last > EPOCHSECONDS)); then
    printf '%s\n' "$said" >&2
    (umask 077 && mkdir -p -- "${file%/*}" && printf '%s\n' "$EPOCHSECONDS" >"$file") 2>/dev/null || : # then it is said again
  fi
  exit "$status"
}

main() {
  local verb=${1:-}
  if [[ $verb == start && " $* " == *' --dry-run '* ]]; then verb=dry-run; fi
  case $verb in
    start | stop) shift ;;
    dry-run)
      context::python
      exec "$ORKESTRA_PYTHON" -m orkestra_shim "$@"
      ;;
    once)
      shift
      run::need_environment
      exec "$ORKESTRA_PYTHON" -m orkestra_shim.once "$@"
      ;;
    status)
      shift
      context::python
      exec "$ORKESTRA_PYTHON" -m orkestra_shim status "$@"
      ;;
    *) die "$EX_USAGE" "orchestrator.sh: '$verb' is none of start, once, stop, status" "see the head of $0" ;;
  esac
  run::parse "$@"
  "run::$verb"
}

main "$@"
