# shellcheck shell=bash
# Agents and checks on another machine: what limits::run does where ORKESTRA_LAUNCHER is set.
#
# The first word of ORKESTRA_LAUNCHER names a file in CONFIG/launchers or SAFETY/launchers that can start, stop and ask
# for a job by a name that we give it; the other words are its own. Neither its exit status nor what it prints is a
# verdict: SAFETY/remote.sh runs the sandbox there and writes `rc`. A job that has ended without one is lost: LIMITS_LOST
# says why. It is no attempt, and done again.
#
# PLACE/jobs/ID is a job's folder, which no sandbox sees:
#   words      what limits::run was called with; settings, env: NAME=VALUE for remote.sh, for the command
#   launcher   the file that can stop it
#   start      remote.sh renames it to `begun`, we to `withdrawn`: one of both
#   where      the node and whether it has walls
#   alive      written anew while its run lives
#   said, rc   what the launcher printed; how the command ended
#
# What has begun and left no `rc` may be alive on a node that nobody reaches. Nothing that it can write to is used again:
# the folders that it had go to WORKSPACES/apart under other names, and PLACE/unclean says so of a tree. (In a sandbox
# it holds the folders themselves, whatever they are called.) Where it has no walls, the next one waits until it has
# ended itself.

use log text process clock fresh SAFETY/limits

readonly LAUNCHER_LOOK=2      # seconds between two looks at a job
readonly LAUNCHER_PATIENCE=20 # seconds that a launcher may take to stop a job or to say whether it is gone
readonly LAUNCHER_MARGIN=5    # seconds that a job may take to end after its lease

LAUNCHER_FILE='' LAUNCHER_WORDS=()
LAUNCHER_JOB='' LAUNCHER_ID='' LAUNCHER_FOLDERS=() LAUNCHER_PID='' LAUNCHER_ENDED=''
LAUNCHER_BEAT_AT=0 LAUNCHER_TOLD='' LAUNCHER_STEP=0 LAUNCHER_STATUS=0

# launcher::resolve: LAUNCHER_FILE and LAUNCHER_WORDS, or exit 78.
launcher::resolve() {
  local words name folder
  error::need_variables ORKESTRA_WORKSPACES
  export ORKESTRA_GRACE=${ORKESTRA_GRACE:-10} ORKESTRA_LAUNCHER_LEASE=${ORKESTRA_LAUNCHER_LEASE:-180}
  read -r -a words <<<"$ORKESTRA_LAUNCHER"
  name=${words[0]:-}
  LAUNCHER_WORDS=("${words[@]:1}")
  if [[ $name =~ ^[A-Za-z0-9][A-Za-z0-9_-]*$ ]]; then
    for folder in "${ORKESTRA_CONFIG:-}/launchers" "$ORKESTRA_SCRIPTS/SAFETY/launchers"; do
      LAUNCHER_FILE=$folder/$name
      [[ ! -f $LAUNCHER_FILE || ! -x $LAUNCHER_FILE ]] || return 0
    done
  fi
  die "$EX_CONFIG" "ORKESTRA_LAUNCHER begins with '$name', and there is no such launcher in $ORKESTRA_SCRIPTS/SAFETY/launchers" \
    "name one that is there, or add a file: see CONTRIBUTING.md"
}

# launcher::run VAR PLACE LOG FOLDER... -- SECONDS OPTIONS... -- COMMAND...: as limits::run.
# shellcheck disable=SC2034  # limits.bash
launcher::run() {
  local _code=143
  LIMITS_REASON='' LIMITS_LOST='' LIMITS_BEGUN=0 LIMITS_TOOK=0
  PROCESS_BUSY=1
  launcher::resolve
  if [[ -z $PROCESS_STOPPING ]]; then
    launcher::_prepare "${@:2}"
    launcher::_start
    launcher::_attend
    launcher::_await_rc
    launcher::_result _code "$2"
  fi
  PROCESS_BUSY=''
  printf -v "$1" '%s' "$_code"
}

launcher::_prepare() {
  local place=$1
  LAUNCHER_ID=orkestra-${ORKESTRA_PROJECT_ID:-none}-$EPOCHSECONDS-$SRANDOM
  LAUNCHER_JOB=$place/jobs/$LAUNCHER_ID LAUNCHER_FOLDERS=() LAUNCHER_TOLD='' LAUNCHER_STEP=0 LAUNCHER_BEAT_AT=0
  launcher::_write "$@"
  shift 2
  while [[ $1 != -- ]]; do
    LAUNCHER_FOLDERS+=("$1")
    shift
  done
}

# What remote.sh has to know: LAUNCHER_SETTINGS, those of them that are set.
readonly LAUNCHER_SETTINGS=(PATH HOME USER TZ JAVA_HOME GOROOT DOTNET_ROOT RUSTUP_HOME PYENV_VERSION
  ORKESTRA_{HOME,CONFIG,LOGS,PROJECTS,PROJECT,PROJECT_NAME,WORKSPACES,SANDBOX,SANDBOX_READ,GRACE,DEBUG}
  ORKESTRA_{OUTPUT,DISK,PROCESSES,MEMORY}_LIMIT ORKESTRA_LAUNCHER_LEASE)

# launcher::_write PLACE LOG...: the job's folder, which only this user can read.
launcher::_write() (
  local words=() pairs=() name dashes=0
  umask 077
  mkdir -p -- "$LAUNCHER_JOB" || die "$EX_CANNOT_WRITE" "cannot make $LAUNCHER_JOB" "see the owner and rights of its folder, and the space left"
  : >"$2"
  while (($# > 0)); do
    if [[ $1 == --env ]] && ((dashes == 1)); then
      mapfile -d '' -t pairs <"$2"
      words+=(--env "$LAUNCHER_JOB/env")
      shift
    else
      [[ $1 != -- ]] || ((++dashes))
      words+=("$1")
    fi
    shift
  done
  printf '%s\0' "${words[@]}" >"$LAUNCHER_JOB/words"
  for name in "${pairs[@]}"; do printf '%s\0' "$name"; done >"$LAUNCHER_JOB/env"
  for name in "${LAUNCHER_SETTINGS[@]}"; do
    [[ ! -v $name ]] || printf '%s\0' "$name=${!name}"
  done >"$LAUNCHER_JOB/settings"
  printf '%s' "$LAUNCHER_FILE" >"$LAUNCHER_JOB/launcher"
  printf '%s\n' "$EPOCHREALTIME" >"$LAUNCHER_JOB/alive"
  : >"$LAUNCHER_JOB/said"
  : >"$LAUNCHER_JOB/start"
)

# Not by process::start: what tells this process to stop must not reach the launcher, which would give no grace.
launcher::_start() {
  local held
  limits::pipe LAUNCHER_ENDED held "$LAUNCHER_JOB/ended"
  set -m
  setpriv --pdeathsig KILL -- "$LAUNCHER_FILE" start "$LAUNCHER_ID" "${LAUNCHER_WORDS[@]}" -- \
    "$ORKESTRA_SCRIPTS/SAFETY/remote.sh" "$LAUNCHER_JOB" </dev/null >>"$LAUNCHER_JOB/said" 2>&1 &
  LAUNCHER_PID=$!
  set +m
  exec {held}>&-
}

# Until the launcher has come to its end: mostly that is the job's end.
launcher::_attend() {
  local status=0
  while ((status != 1)); do
    status=0
    read -r -t "$LAUNCHER_LOOK" -u "$LAUNCHER_ENDED" _ || status=$?
    launcher::_beat
    launcher::_stop_where_told
    ((LAUNCHER_STEP < 3)) || break
    kill -0 "$LAUNCHER_PID" 2>/dev/null || break
  done
  exec {LAUNCHER_ENDED}<&-
  if ((LAUNCHER_STEP == 3)); then kill -KILL -- "-$LAUNCHER_PID" 2>/dev/null || :; fi # it may have ended just now
  process::await status "$LAUNCHER_PID"
}

# A launcher may end before its job: it was killed, or it only hands over. Then the job's end is asked for.
launcher::_await_rc() {
  local known now
  clock::passed known
  while [[ ! -e $LAUNCHER_JOB/rc ]]; do
    launcher::_call gone "$LAUNCHER_ID"
    # What it wrote last may be seen late on a file system of several machines.
    ((LAUNCHER_STATUS > 1)) || sleep 1
    ((LAUNCHER_STATUS != 0)) || break
    clock::passed now
    ((LAUNCHER_STATUS > 1)) || known=$now
    ((now - known < ORKESTRA_LAUNCHER_LEASE)) || break
    launcher::_beat
    launcher::_stop_where_told
    ((LAUNCHER_STEP < 3)) || break
    ((LAUNCHER_STATUS < 2)) || sleep 1
  done
}

# Says that its run lives, as often as its lease needs it.
launcher::_beat() {
  local now
  clock::passed now
  ((now >= LAUNCHER_BEAT_AT)) || return 0
  LAUNCHER_BEAT_AT=$((now + ORKESTRA_LAUNCHER_LEASE / 10))
  printf '%s\n' "$EPOCHREALTIME" >"$LAUNCHER_JOB/alive"
}

# launcher::_call VERB ID...: LAUNCHER_STATUS is the launcher's answer; it does not take for ever.
launcher::_call() {
  LAUNCHER_STATUS=0
  timeout --kill-after=1 "$LAUNCHER_PATIENCE" "$LAUNCHER_FILE" "$@" </dev/null >>"$LAUNCHER_JOB/said" 2>&1 \
    || LAUNCHER_STATUS=$?
}

# Told to stop: TERM for the job, the grace period, KILL; LAUNCHER_STEP 3 where that does not help either.
launcher::_stop_where_told() {
  [[ -n $PROCESS_STOPPING ]] || return 0
  local passed
  clock::passed passed
  [[ -n $LAUNCHER_TOLD ]] || LAUNCHER_TOLD=$passed
  ((passed -= LAUNCHER_TOLD)) || : # none yet
  case $LAUNCHER_STEP in
    0) launcher::_call stop "$LAUNCHER_ID" ;;
    1)
      ((passed > ORKESTRA_GRACE + 2)) || return 0
      launcher::_call stop "$LAUNCHER_ID" now
      ;;
    *) ((passed > 2 * ORKESTRA_GRACE + 8)) || return 0 ;;
  esac
  ((++LAUNCHER_STEP))
  ((LAUNCHER_STATUS == 0)) || log::write warn "job $LAUNCHER_ID: the launcher could not stop it (exit $LAUNCHER_STATUS)"
}

# launcher::_result VAR PLACE: how it ended, by what the other side wrote.
# shellcheck disable=SC2034  # limits.bash, and whoever calls it
launcher::_result() {
  local _status=143 _took=0 _told=0 _reason='' _why
  launcher::_words _why
  if [[ -e $LAUNCHER_JOB/rc ]]; then
    LIMITS_BEGUN=1
    IFS=$'\t' read -r _status _took _told _reason <"$LAUNCHER_JOB/rc" || : # half a line says nothing
    if [[ ! $_status =~ ^[0-9]{1,3}$ || ! $_took =~ ^[0-9]{1,9}$ ]]; then
      LIMITS_LOST='what it left of its end cannot be read'
    elif [[ $_told == 1 && -z $PROCESS_STOPPING ]]; then
      LIMITS_LOST=${_why:-it was told to stop, and not by us}
    else
      LIMITS_TOOK=$_took
      text::plain LIMITS_REASON "$_reason"
    fi
  else
    LIMITS_LOST=${_why:-it left no word}
    if mv -T -- "$LAUNCHER_JOB/start" "$LAUNCHER_JOB/withdrawn" 2>/dev/null; then
      LIMITS_LOST="it was not begun: $LIMITS_LOST"
    else
      LIMITS_BEGUN=1
      launcher::_apart "$2"
    fi
  fi
  launcher::forget "$LAUNCHER_JOB"
  if [[ -n $PROCESS_STOPPING ]]; then
    LIMITS_LOST=''
    _status=143
  elif [[ -n $LIMITS_LOST ]]; then
    _status=$EX_LOST
  fi
  printf -v "$1" '%s' "$_status"
}

# launcher::_words VAR: the errors that the launcher named, else the last line that it said; in front of it the node.
launcher::_words() {
  local _lines=() _line _last='' _where=''
  [[ ! -e $LAUNCHER_JOB/said ]] || mapfile -t -n 200 _lines <"$LAUNCHER_JOB/said"
  for _line in "${_lines[@]}"; do
    if [[ $_line == *error:* ]]; then
      [[ $_last == *error:* ]] || _last=''
      _last+=${_last:+; }$_line
    elif [[ $_last != *error:* && $_line == *[[:alnum:]]* ]]; then
      _last=$_line
    fi
  done
  text::plain _last "${_last:0:400}"
  [[ ! -s $LAUNCHER_JOB/where ]] || IFS=$'\t' read -r _where _ <"$LAUNCHER_JOB/where" || : # as above
  text::plain _where "${_where:0:64}"
  printf -v "$1" '%s' "${_where:+on $_where: }$_last"
}

# --- what may be alive ------------------------------------------------------------------------------------------

# launcher::_apart PLACE: the folders that the job could write to are not used again.
launcher::_apart() {
  local folder apart=$ORKESTRA_WORKSPACES/apart/$LAUNCHER_ID
  mkdir -p -- "$apart"
  for folder in "${LAUNCHER_FOLDERS[@]}"; do
    if [[ $folder == "$1/tree" ]]; then
      : >"$1/unclean"
    elif [[ -d $folder ]]; then
      mv -T -- "$folder" "$apart/${folder##*/}"
    fi
  done
  launcher::_outlive
  launcher::forget "$apart"
}

# launcher::forget FOLDER: removed as far as it can be while somebody may write there; the next run does the rest.
launcher::forget() {
  [[ ! -d $1 ]] || rm -rf --one-file-system -- "$1" 2>/dev/null || log::write info "left for later: $1"
}

# What has no walls writes by names: it has ended itself once its lease is over.
launcher::_outlive() {
  local walls=''
  [[ ! -s $LAUNCHER_JOB/where ]] || IFS=$'\t' read -r _ walls <"$LAUNCHER_JOB/where" || : # as above
  [[ $walls != walls ]] || return 0
  log::write warn "job $LAUNCHER_ID has no sandbox and may be alive: waiting until its lease is over"
  clock::pause $((ORKESTRA_LAUNCHER_LEASE + LAUNCHER_MARGIN))
}

# launcher::fence WORKSPACE: what a killed run had begun in it is ended, and gone, before anybody touches the workspace.
launcher::fence() {
  local job
  export ORKESTRA_GRACE=${ORKESTRA_GRACE:-10} ORKESTRA_LAUNCHER_LEASE=${ORKESTRA_LAUNCHER_LEASE:-180}
  for job in "$1"/jobs/* "$1"/ballots/*/jobs/*; do
    [[ -d $job ]] || continue
    LAUNCHER_JOB=$job LAUNCHER_ID=${job##*/} LAUNCHER_FOLDERS=("$1/tree")
    launcher::_fence "$1"
  done
}

launcher::_fence() {
  local begun=''
  LAUNCHER_FILE=''
  [[ ! -e $LAUNCHER_JOB/launcher ]] || LAUNCHER_FILE=$(<"$LAUNCHER_JOB/launcher")
  log::write warn "job $LAUNCHER_ID of a run that is gone is ended"
  mv -T -- "$LAUNCHER_JOB/start" "$LAUNCHER_JOB/withdrawn" 2>/dev/null || begun=1
  if [[ -n $LAUNCHER_FILE && -x $LAUNCHER_FILE && ! -e $LAUNCHER_JOB/rc ]]; then launcher::_end_old; fi
  if [[ -n $begun && -e $LAUNCHER_JOB/begun && ! -e $LAUNCHER_JOB/rc ]]; then
    : >"$1/unclean"
    launcher::_outlive
  fi
  launcher::forget "$LAUNCHER_JOB"
}

# Its lease is over at the latest when we have waited that long: nobody says any more that its run lives.
launcher::_end_old() {
  local now until
  clock::passed until
  ((until += ORKESTRA_LAUNCHER_LEASE + LAUNCHER_MARGIN))
  launcher::_call stop "$LAUNCHER_ID" now
  clock::passed now
  while ((now < until)) && [[ -z $PROCESS_STOPPING ]]; do
    launcher::_call gone "$LAUNCHER_ID"
    ((LAUNCHER_STATUS != 0)) || return 0
    sleep 1
    clock::passed now
  done
}
