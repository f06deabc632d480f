#!/usr/bin/env bash
# Summary: runs one agent in the sandbox, for a task, for a ballot or for a person
# Usage: spawn.sh work WORKSPACE TICKET ATTEMPT
#        spawn.sh ballot VIEW TICKET OUT WORKSPACE
#        spawn.sh attach WORKSPACE TICKET PLACE
#
# work: the agent works in WORKSPACE/tree on what TICKET says; ATTEMPT (the folder of this attempt) gets output.log and
# what the adapter leaves: result.json, or the tool's raw output.json, output.stderr and output.exit. Where TICKET names a
# session of the tool that is kept, it goes on with that, and is told no more than what is new (exchange/resume.md).
# ballot: the agent looks at VIEW, which it cannot write, without logs/, .git, and the queue and settings in config/; OUT
# gets the same files.
# attach: a person has the agent's tool, or a shell, in WORKSPACE/tree, in the terminal that this is started in (of which this
# is the session's leader, and which is nobody else's); HOME and what else it needs is in PLACE. No limit on its time.
#
# The agent sees the system, its tree, a fresh HOME with its own credentials in it, and ORKESTRA_ATTEMPT_DIR (made from
# TICKET/exchange). It dies with this process. TERM is passed on; what was refreshed is kept, then this ends with 143.
# One that takes more than it may (SAFETY/lib/limits.bash) is ended; stdout gets one line that says of what. Of a job
# that was lost on another machine (SAFETY/lib/launcher.bash) it gets `BEGUN TAB WHY`, BEGUN being 1 or 0.
#
# Exit: 0 done; 64 wrong usage; 65 bad output or ticket; 69 not installed; 74 lost; 75 limited; 77 not logged in; 78 no
#   sandbox where one is required; 124 timed out; 143 stopped; others failed. An exit of 0 is what the tool says, not the
#   verdict: that is read from its output (the adapter's .jq program) and from the tree.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log process SAFETY/limits AGENTS/fresh AGENTS/ticket AGENTS/credentials AGENTS/exchange AGENTS/sight AGENTS/sessions

SPAWN_WORKSPACE='' SPAWN_FOLDERS=() SPAWN_HOME='' SPAWN_EXCHANGE='' SPAWN_PRIVATE='' SPAWN_PLACE='' SPAWN_OUT=''
SPAWN_VERB='' SPAWN_CODE=0

main() {
  case "${1:-} $#" in
    'work 4') spawn::work "$2" "$3" "$4" ;;
    'ballot 5') spawn::ballot "$2" "$3" "$4" "$5" ;;
    'attach 4') spawn::attach "$2" "$3" "$4" ;;
    *) die "$EX_USAGE" "usage: spawn.sh work WORKSPACE TICKET ATTEMPT | ballot VIEW TICKET OUT WORKSPACE | attach WORKSPACE TICKET PLACE" ;;
  esac
}

spawn::work() {
  local workspace=$1
  SPAWN_VERB=work SPAWN_OUT=$3 SPAWN_WORKSPACE=$workspace SPAWN_FOLDERS=("$workspace/tree")
  SPAWN_HOME=$workspace/home SPAWN_EXCHANGE=$workspace/exchange
  [[ -d $workspace/tree ]] || die "$EX_USAGE" "spawn.sh: there is no workspace $workspace" "see the head of $0"
  ticket::read "$2"
  # What a ballot that was killed left behind may hold a credential.
  fresh::remove "$workspace/ballots"
  limits::open
  sight::work "$workspace/tree" "$2"
  spawn::run "$2" "$workspace/tree"
}

spawn::ballot() {
  local view=$1 workspace=$4
  SPAWN_VERB=ballot SPAWN_OUT=$3
  [[ -d $view ]] || die "$EX_USAGE" "spawn.sh: there is no view $view" "see the head of $0"
  mkdir -p -- "$workspace/ballots"
  # Several judge at once, each in a place of its own.
  SPAWN_PLACE=$(mktemp -d -- "$workspace/ballots/XXXXXXXX")
  SPAWN_WORKSPACE=$SPAWN_PLACE SPAWN_HOME=$SPAWN_PLACE/home SPAWN_EXCHANGE=$SPAWN_PLACE/exchange
  ticket::read "$2"
  limits::open own
  sight::ballot "$view"
  spawn::run "$2" "$view"
}

spawn::attach() {
  SPAWN_VERB=attach SPAWN_OUT=$3/out SPAWN_WORKSPACE=$3
  SPAWN_HOME=$3/home SPAWN_EXCHANGE=$3/exchange
  [[ -d $1/tree ]] || die "$EX_USAGE" "spawn.sh: there is no workspace $1" "see the head of $0"
  [[ -t 0 ]] || die "$EX_USAGE" "spawn.sh attach needs a terminal"
  ticket::read "$2"
  limits::open own
  sight::work "$1/tree" "$2"
  spawn::run "$2" "$1/tree"
}

# spawn::run TICKET CWD: everything around the agent's life.
spawn::run() {
  local ticket=$1 cwd=$2
  umask 077
  SPAWN_PRIVATE=$ticket/spawn
  process::on_stop spawn::stopped
  trap 'spawn::clean' EXIT
  [[ -d $SPAWN_OUT ]] || mkdir -p -- "$SPAWN_OUT"
  fresh::remove "$SPAWN_OUT/output.log" "${EXCHANGE_RESULTS[@]/#/$SPAWN_OUT/}"
  fresh::folder "$SPAWN_HOME" "$SPAWN_EXCHANGE" "$SPAWN_PRIVATE"
  exchange::fill "$ticket" "$SPAWN_EXCHANGE"
  spawn::binary
  credentials::bring_in "$SPAWN_HOME" "$SPAWN_PRIVATE/credentials"
  [[ $SPAWN_VERB == ballot ]] || sessions::bring_in "$SPAWN_HOME"
  spawn::environment "$SPAWN_PRIVATE/env"
  credentials::watch "$SPAWN_HOME" "$SPAWN_PRIVATE/credentials"
  if [[ $SPAWN_VERB == attach ]]; then spawn::hand_over "$cwd"; else spawn::start "$cwd"; fi
  # The agent has ended. What follows is short and is done to its end even when we are told to stop.
  trap '' TERM INT HUP
  credentials::take_back "$SPAWN_HOME" "$SPAWN_PRIVATE/credentials"
  [[ $SPAWN_VERB == attach ]] || exchange::collect "$SPAWN_EXCHANGE" "$SPAWN_OUT"
  [[ $SPAWN_VERB == ballot ]] || spawn::session
  if [[ -n $LIMITS_LOST ]]; then
    printf '%s\t%s\n' "$LIMITS_BEGUN" "$LIMITS_LOST"
  elif [[ -n $LIMITS_REASON && $SPAWN_CODE != 143 ]]; then
    printf '%s\n' "$LIMITS_REASON"
  fi
  exit "$SPAWN_CODE"
}

# Whether it may be gone on with is decided by whoever reads what the tool said; of one that had to be ended it may not.
spawn::session() {
  if [[ -n $LIMITS_LOST$LIMITS_REASON || $SPAWN_CODE == "$EX_TIMEOUT" ]]; then
    sessions::forget
  else
    sessions::keep "$SPAWN_HOME" "$SPAWN_PRIVATE"
  fi
}

# HOME holds credentials, and what the tool printed may: neither outlives this process.
spawn::clean() {
  trap '' TERM INT HUP
  credentials::unwatch
  limits::close
  fresh::remove "$SPAWN_HOME" "$SPAWN_PRIVATE" "$SPAWN_EXCHANGE" ${SPAWN_PLACE:+"$SPAWN_PLACE"}
}

# The tool itself. The store names it where it knows it; else the adapter is asked, and says what is missing.
spawn::binary() {
  local code=0 line answer
  [[ ! -v TICKET[binary] ]] || return 0
  answer=$(ticket::export && exec "${TICKET[adapter]}" probe </dev/null 2>"$SPAWN_OUT/output.log") || code=$?
  if ((code != 0)); then
    cat -- "$SPAWN_OUT/output.log" >&2
    exit "$code"
  fi
  while IFS= read -r line; do
    case $line in
      "binary"$'\t'/*) TICKET['binary']=${line#*$'\t'} ;;
      "read"$'\t'/*) TICKET_READ+=("${line#*$'\t'}") ;;
    esac
  done <<<"$answer"
}

# spawn::environment FILE: all that the agent has in its environment. Ours come last and win.
spawn::environment() {
  {
    [[ -z ${ORKESTRA_PREFER_KEY:-} ]] || printf '%s\0' "ORKESTRA_PREFER_KEY=$ORKESTRA_PREFER_KEY"
    ((${#TICKET_ENV[@]} == 0)) || printf '%s\0' "${TICKET_ENV[@]}"
    printf '%s\0' "ORKESTRA_ATTEMPT_DIR=$SPAWN_EXCHANGE" "ORKESTRA_BINARY=${TICKET[binary]:-}" \
      "ORKESTRA_TASK=${TICKET[task]:-}" "ORKESTRA_TRY=${TICKET[try]:-}" "ORKESTRA_AGENT=${TICKET[agent]:-}" \
      "ORKESTRA_TIMEOUT=${TICKET[timeout]}"
    [[ -z ${TICKET[session]:-} ]] || printf '%s\0' "ORKESTRA_SESSION=${TICKET[session]}"
  } >"$1"
}

# spawn::start CWD: the agent's life. SPAWN_CODE is how it ended, in the words of the adapter contract.
spawn::start() {
  local prompt=$SPAWN_EXCHANGE/prompt.md
  [[ -z ${TICKET[session]:-} ]] || prompt=$SPAWN_EXCHANGE/resume.md
  sight::adapter
  # Our umask is for what holds keys; the agent's files are ordinary ones.
  umask 022
  limits::run SPAWN_CODE "$SPAWN_WORKSPACE" "$SPAWN_OUT/output.log" "${SPAWN_FOLDERS[@]}" "$SPAWN_HOME" "$SPAWN_EXCHANGE" \
    -- "${TICKET[timeout]}" "${SIGHT[@]}" --rw "$SPAWN_EXCHANGE" --home "$SPAWN_HOME" --chdir "$1" --net \
    --env "$SPAWN_PRIVATE/env" --stdin "$prompt" -- "${TICKET[adapter]}" "$SPAWN_VERB"
  umask 077
  spawn::verdict "$LIMITS_TOOK"
}

# spawn::hand_over CWD: the terminal's keys are for what is in it, so that it is in our own group. SPAWN_CODE is its exit status.
spawn::hand_over() {
  local terminal
  sight::adapter
  umask 022
  exec {terminal}<&0
  trap '' INT QUIT TSTP
  trap spawn::hang_up TERM HUP
  setpriv --pdeathsig KILL -- "$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" "${LIMITS_SANDBOX[@]}" "${SIGHT[@]}" \
    --rw "$SPAWN_EXCHANGE" --home "$SPAWN_HOME" --chdir "$1" --net --env "$SPAWN_PRIVATE/env" --tty \
    -- "${TICKET[adapter]}" attach <&"$terminal" &
  PROCESS_PID=$!
  exec {terminal}<&-
  process::wait SPAWN_CODE
  umask 077
  leftovers::end "$SPAWN_WORKSPACE"
}

# The terminal is gone, as what is in it has heard from the kernel.
spawn::hang_up() {
  local left
  trap '' TERM HUP
  timeout "${ORKESTRA_GRACE:-10}" tail -f -s 0.2 --pid="$PROCESS_PID" /dev/null || left=$?
  [[ -z ${left:-} ]] || kill -KILL -- "$PROCESS_PID" 2>/dev/null || return 0 # it has just ended
}

spawn::stopped() {
  exit 143
}

# spawn::verdict SECONDS: the exit codes of the contract; whatever else, it failed.
spawn::verdict() {
  if [[ -n $PROCESS_STOPPING ]]; then
    SPAWN_CODE=143
    return
  fi
  if [[ -n $LIMITS_LOST ]]; then
    SPAWN_CODE=$EX_LOST
    return
  fi
  if [[ -n $LIMITS_REASON ]]; then
    SPAWN_CODE=$EX_FAILED
    return
  fi
  case $SPAWN_CODE in
    0 | 65 | 69 | 75 | 77 | 124) ;;
    # `timeout` had to use KILL: it does not live to say 124.
    137) SPAWN_CODE=$(($1 < TICKET[timeout] ? EX_FAILED : EX_TIMEOUT)) ;;
    78) spawn::sandbox_or_agent ;;
    *) SPAWN_CODE=1 ;;
  esac
}

# Was it the sandbox that said 78 (it is required and impossible), or the agent?
spawn::sandbox_or_agent() {
  if [[ ${ORKESTRA_SANDBOX:-auto} != required ]] || "$ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" --probe 2>/dev/null; then
    SPAWN_CODE=$EX_FAILED
  else
    cat -- "$SPAWN_OUT/output.log" >&2
  fi
}

main "$@"
