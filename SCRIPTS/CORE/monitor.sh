#!/usr/bin/env bash
# Summary: Keeps an eye on runs, their disks and their workspaces in LOGS/monitor.log, and rotates the logs.
# Usage: monitor.sh [--project P]           looks once, at every project or at P; for cron
#        monitor.sh watch PID [--every S]   started by a run (process PID) with its environment: looks every S (30)
#                                           seconds until that run ends
#   In the log: the heartbeat of each run; an agent that has printed nothing for long (ORKESTRA_STUCK_AFTER minutes;
#   it is not ended); disks with little space (ORKESTRA_LEAST_SPACE MiB); looking once also workspaces that no run
#   uses. What a person should know is printed too, once for as long as it stays so.
# Exit: 0; 64 wrong usage; 69 not set up; 73 cannot write; 78 bad configuration.
# shellcheck disable=SC2312  # what < <() gives says by itself whether there was anything
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use list log context git

readonly MONITOR_NAME='^[a-z0-9][a-z0-9._-]{0,63}$'          # of a task
readonly MONITOR_AGENT='^[a-z0-9][A-Za-z0-9._:/@+-]{0,127}$' # orkestra_shim/agentname.py
declare -A MONITOR_SAID=() MONITOR_NOW=()
MONITOR_PIPE=''

# monitor::tell KEY MESSAGE: a line in the log, and one for a person, unless it was so at the last look already.
monitor::tell() {
  MONITOR_NOW[$1]=1
  [[ -z ${MONITOR_SAID[$1]:-} ]] || return 0
  log::write warn "$2" monitor
  say "${ORKESTRA_PROJECT_NAME:+$ORKESTRA_PROJECT_NAME: }$2"
}

# What was said is kept in a file of the runtime folder, so that a later call knows it too.
monitor::recall() {
  local key
  MONITOR_SAID=() MONITOR_NOW=()
  [[ -f $1/monitor-said ]] || return 0
  while IFS= read -r key; do [[ -z $key ]] || MONITOR_SAID[$key]=1; done <"$1/monitor-said"
}

monitor::remember() {
  local key before="${!MONITOR_SAID[*]}"
  MONITOR_SAID=()
  for key in "${!MONITOR_NOW[@]}"; do MONITOR_SAID[$key]=1; done
  MONITOR_NOW=()
  [[ ${!MONITOR_SAID[*]} != "$before" ]] || return 0
  printf '%s\n' "${!MONITOR_SAID[@]}" >"$1/monitor-said.$$"
  mv -fT -- "$1/monitor-said.$$" "$1/monitor-said"
}

# --- a run ------------------------------------------------------------------------------------------------------

# monitor::holder: MONITOR_RUN is the run's process and since when, empty where none goes on on this machine.
MONITOR_RUN=''
monitor::holder() {
  local pid='' host='' since=''
  MONITOR_RUN=''
  [[ -f $ORKESTRA_GIT_DIR/orkestra/holder ]] || return 0
  read -r pid host since <"$ORKESTRA_GIT_DIR/orkestra/holder" || : # it may be being written
  [[ $pid =~ ^[0-9]{1,10}$ && $host == "$HOSTNAME" && -d /proc/$pid ]] || return 0
  MONITOR_RUN="process $pid since $since"
}

# What each worker is at, from the file in which it says so; the words of an agent's name and a task's id are checked,
# since a project gives them.
monitor::heartbeat() {
  local file task try agent stage since number text='' logs=() of=() began=()
  for file in "$ORKESTRA_RUNTIME"/w*/now; do
    [[ -f $file ]] || continue
    IFS=$'\t' read -r task try agent stage since <"$file" || continue # the worker has just come to its end
    [[ $task =~ $MONITOR_NAME && $agent =~ $MONITOR_AGENT && $task$agent != *..* ]] || continue
    [[ $try =~ ^[0-9]{1,6}$ && $stage =~ ^[a-z_]{1,32}$ && $since =~ ^[0-9]{1,12}$ ]] || continue
    number=${file%/now}
    text+="${text:+, }${number##*/} $task try $try ($agent) $stage for $((EPOCHSECONDS - since)) s"
    [[ $stage == work ]] || continue
    logs+=("$ORKESTRA_PROJECT/logs/execution/attempts/$task/$try/output.log")
    of+=("$task $try") began+=("$since")
  done
  monitor::records
  log::write info "a run goes on: $MONITOR_RUN: ${text:-nobody is at work}; $MONITOR_RECORDS outcomes recorded" monitor
  monitor::quiet
}

# monitor::records: MONITOR_RECORDS is how many outcomes the branch holds; asked again only when the branch has moved.
MONITOR_HEAD='' MONITOR_RECORDS=0
monitor::records() {
  local head='' paths
  head=$(git::project rev-parse --verify --quiet "refs/heads/$ORKESTRA_BRANCH^{commit}") || head=''
  [[ $head != "$MONITOR_HEAD" || -z $head ]] || return 0
  MONITOR_HEAD=$head MONITOR_RECORDS=0
  [[ -n $head ]] || return 0
  list::read paths git::project ls-tree -r -z --name-only "$head" logs/outcomes/
  for head in "${paths[@]}"; do [[ $head != */outcome-*.json ]] || ((++MONITOR_RECORDS)); done
}

# Uses the caller's logs, of and began: attempts whose agent is at work.
monitor::quiet() {
  local at last name line
  local -A changed=()
  ((${#logs[@]} > 0)) || return 0
  # One that has just been made anew for the next attempt, or is not there yet, is missing here.
  while read -r -d '' last name; do changed[$name]=$last; done < <(exec stat --printf='%Y %n\0' -- "${logs[@]}" 2>/dev/null)
  for at in "${!logs[@]}"; do
    last=${changed[${logs[at]}]:-0}
    ((last > began[at])) || last=${began[at]}
    ((EPOCHSECONDS - last >= ORKESTRA_STUCK_AFTER * 60)) || continue
    line="the agent of ${of[at]% *}, try ${of[at]#* }, has printed nothing for $(((EPOCHSECONDS - last) / 60)) minutes"
    monitor::tell "quiet ${of[at]} ${began[at]}" "$line: see ${logs[at]}"
  done
}

# --- disks, logs, workspaces --------------------------------------------------------------------------------------

# monitor::space PLACE...: those whose disk has less free than it should.
monitor::space() {
  local place places=() blocks size disk
  local -A seen=()
  for place in "$@"; do
    while [[ ! -d $place ]]; do place=${place%/*}; done
    places+=("${place:-/}")
  done
  # A disk that does not answer holds up us alone; the child dies with us.
  while read -r -d '' disk blocks size place; do
    [[ -z ${seen["$disk $blocks"]:-} ]] || continue
    seen["$disk $blocks"]=1
    ((blocks * size / 1048576 < ORKESTRA_LEAST_SPACE)) || continue
    monitor::tell "space $disk" "only $((blocks * size / 1048576)) MiB are free on the disk of $place"
  done < <(exec setpriv --pdeathsig KILL -- stat -f --printf='%i %a %S %n\0' -- "${places[@]}")
}

monitor::rotate() {
  log::rotate "$((ORKESTRA_LOG_SIZE * 1048576))"
}

# Workspaces whose project is not known (any more), and, in the log alone, those that no run uses just now.
monitor::workspaces() {
  local folder id name size
  for folder in "$ORKESTRA_WORKSPACES_DIR"/*; do
    id=${folder##*/}
    [[ -d $folder && $id =~ ^[0-9a-f]{12}$ ]] || continue
    name=${CONTEXT_NAMES[$id]:-}
    [[ -z $name || ! -e $ORKESTRA_CONFIG/RUNTIME/$id/run ]] || continue
    size=$(exec du -sm -- "$folder" 2>/dev/null) || : # part of it may be closed to us, or just go
    size="${size%%[!0-9]*} MiB"
    if [[ -n $name ]]; then
      log::write info "no run uses the workspaces of $name: $folder, $size" monitor
    else
      monitor::tell "workspaces $id" "workspaces of a project that is not known here: $folder, $size; see: orkestra doctor"
    fi
  done
}

# --- verbs --------------------------------------------------------------------------------------------------------

# One project, with its environment.
monitor::look() {
  monitor::recall "$ORKESTRA_RUNTIME"
  monitor::holder
  [[ -z $MONITOR_RUN ]] || monitor::heartbeat
  monitor::space "$ORKESTRA_GIT_DIR" "$ORKESTRA_WORKSPACES"
  monitor::remember "$ORKESTRA_RUNTIME"
}

monitor::watch() {
  local parent=$1 every=$2
  # Whoever started us may have gone before we were tied to its life.
  [[ $PPID == "$parent" ]] || exit 0
  # A pipe that nobody writes to: waiting costs no process.
  exec {MONITOR_PIPE}<> <(:)
  monitor::recall "$ORKESTRA_RUNTIME"
  monitor::rotate
  while :; do
    read -r -t "$every" -u "$MONITOR_PIPE" _ || : # the time is up
    monitor::holder
    [[ -n $MONITOR_RUN ]] || continue
    monitor::heartbeat
    monitor::space "$ORKESTRA_GIT_DIR" "$ORKESTRA_WORKSPACES" "$ORKESTRA_LOGS" "$ORKESTRA_RUNTIME"
    monitor::remember "$ORKESTRA_RUNTIME"
    monitor::rotate
  done
}

# Every project: each is looked at by a process of its own, so that one with a defect leaves the others their look.
monitor::all() {
  context::each "$ORKESTRA_SCRIPTS/CORE/monitor.sh" look
  monitor::recall "$ORKESTRA_CONFIG/RUNTIME"
  monitor::space "$ORKESTRA_LOGS" "$ORKESTRA_WORKSPACES_DIR"
  monitor::workspaces
  monitor::remember "$ORKESTRA_CONFIG/RUNTIME"
  monitor::rotate
  exit "$CONTEXT_FAILED"
}

main() {
  local verb=all project='' every=30 parent=''
  case ${1:-} in
    watch)
      (($# > 1)) || die "$EX_USAGE" 'monitor.sh watch needs the process of its run'
      verb=watch parent=$2
      shift 2
      ;;
    look)
      [[ -n ${ORKESTRA_RUNTIME:-} ]] || die "$EX_USAGE" 'monitor.sh look is for a project whose environment is set' "look at a project: monitor.sh --project P"
      verb=look
      shift
      ;;
  esac
  while (($# > 0)); do
    (($# > 1)) || die "$EX_USAGE" "monitor.sh: '$1' is unknown or needs a value" "see the head of $0"
    case $1 in
      --project) project=$2 ;;
      --every) every=$2 ;;
      *) die "$EX_USAGE" "monitor.sh: unknown option '$1'" "see the head of $0" ;;
    esac
    shift 2
  done
  error::need_number "$every" --every
  ((every > 0)) || die "$EX_USAGE" '--every takes a number of seconds, from 1'
  if [[ -n $project ]]; then
    context::load "$project"
    verb=look
  fi
  "monitor::$verb" "$parent" "$every"
}

main "$@"
