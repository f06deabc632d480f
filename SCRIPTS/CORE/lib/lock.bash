# shellcheck shell=bash disable=SC2034  # orchestrator.sh reads what is set here
# One run for a project at a time. The lock is in the project's own Git folder, so that it holds for every home.
#
# The descriptor is handed down on purpose to the run's own children (never into a sandbox): after a `kill -9` of the
# orchestrator the project is free only when the last Git process of that run is gone.

# One that was being born in just that moment may live on, not yet tied to anybody: whoever still holds the lock of a
# dead orchestrator is ended.

use log clock

LOCK_HELD='' LOCK_HOLDER='' LOCK_PID=''
readonly LOCK_DRAIN=5 # seconds: what Git may need to end after its run was killed
LOCK_WAY=--exclusive

# lock::hold_project: LOCK_HELD says whether we hold it; if not, LOCK_HOLDER says who, LOCK_PID is its process if it is
# on this machine.
lock::hold_project() {
  lock::_take
  [[ -z $LOCK_HELD ]] || printf '%s %s %(%Y-%m-%dT%H:%M:%S%z)T\n' "$$" "$HOSTNAME" -1 2>/dev/null >"$LOCK_FOLDER/holder" \
    || die "$EX_CANNOT_WRITE" "cannot write $LOCK_FOLDER/holder" "see the space left on its disk"
}

# lock::keep_runs_out: the same for somebody who is no run and is not to be taken for one: any number of such at once.
lock::keep_runs_out() {
  LOCK_WAY=--shared
  lock::_take
}

# lock::await SECONDS: the run that has it ends; false when it does not.
lock::await() {
  flock "$LOCK_WAY" --timeout "$1" 9
}

LOCK_FOLDER=''
lock::_take() {
  LOCK_FOLDER=$ORKESTRA_GIT_DIR/orkestra LOCK_HELD=''
  mkdir -p -- "$LOCK_FOLDER" 2>/dev/null || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_GIT_DIR" "see its owner and rights"
  exec 9>>"$LOCK_FOLDER/run.lock" || die "$EX_CANNOT_WRITE" "cannot write $LOCK_FOLDER/run.lock" "see its owner and rights"
  if flock "$LOCK_WAY" --nonblock 9; then LOCK_HELD=1; else lock::_look "$LOCK_FOLDER"; fi
}

# A run writes the file just after it has taken the lock, and whoever only keeps runs out does so for a moment.
lock::_look() {
  local folder=$1 pid='' host='' since=''
  if [[ ! -s $folder/holder ]] && lock::await 2; then
    LOCK_HELD=1
    return
  fi
  [[ ! -f $folder/holder ]] || read -r pid host since <"$folder/holder" || : # it may be being written
  LOCK_HOLDER="process ${pid:-?} on ${host:-this machine}${since:+ since $since}"
  [[ $host == "$HOSTNAME" && $pid =~ ^[0-9]+$ ]] || return 0
  LOCK_PID=$pid
  if ! kill -0 "$pid" 2>/dev/null; then lock::_inherit "$folder"; fi
}

# The orchestrator is dead: its last processes get a moment, then what is left of them is ended.
lock::_inherit() {
  local file
  if lock::await "$LOCK_DRAIN"; then
    LOCK_HELD=1
    return
  fi
  for file in /proc/[0-9]*/fd/9; do
    [[ $file -ef $1/run.lock && $file != "/proc/$$/"* ]] || continue
    file=${file#/proc/}
    kill -KILL "${file%%/*}" 2>/dev/null || : # it may just have ended
  done
  if lock::await "$LOCK_DRAIN"; then LOCK_HELD=1; fi
}

lock::forget_holder() {
  rm -f -- "$ORKESTRA_GIT_DIR/orkestra/holder"
}

# --- Git's own garbage collection -------------------------------------------------------------------------------

# A `git gc --prune=now` removes whatever no ref reached when it looked: a tree that is about to land, and the branch
# would hold a commit without it. So a run holds the lock of `git gc` (gc.pid, by Git's own protocol: builtin/gc.c), as
# if it were one: a person's says that it goes on, and as which process.
readonly LOCK_GC_FRESH=3600 # seconds after which it is written anew: Git takes one of twelve hours for forgotten
readonly LOCK_GC_TRIES=50   # of a tenth of a second: how long a Git that looks at the lock may take
LOCK_GC_AT=''               # when it was written (clock::passed)
LOCK_GC_HOLDER=''           # the gc that goes on

# lock::keep_gc_out: from here to lock::let_gc_in no gc begins; to be called again and again. Where one goes on
# LOCK_GC_HOLDER says which, and nothing is done.
lock::keep_gc_out() {
  LOCK_GC_HOLDER=''
  local file=$ORKESTRA_GIT_DIR/gc.pid tries=0 now
  clock::passed now
  [[ -z $LOCK_GC_AT ]] || ((now - LOCK_GC_AT >= LOCK_GC_FRESH)) || return 0
  until (set -C && printf '%s %s\n' "$$" "$HOSTNAME" >"$file.lock") 2>/dev/null; do
    if ((++tries == LOCK_GC_TRIES)); then
      log::write warn "removed $file.lock, which a process that was killed has left"
      rm -f -- "$file.lock"
    elif ((tries > LOCK_GC_TRIES + 10)); then
      die "$EX_CANNOT_WRITE" "cannot write $file" "see the owner and rights of $ORKESTRA_GIT_DIR, and the space left"
    fi
    sleep 0.1
  done
  lock::_look_for_gc "$file"
  if [[ -n $LOCK_GC_HOLDER ]]; then
    rm -f -- "$file.lock"
  else
    mv -fT -- "$file.lock" "$file"
    LOCK_GC_AT=$now
  fi
}

# The gc that goes on, by the lock that it left: on this machine it is a living Git, on another one the lock is fresh.
lock::_look_for_gc() {
  local pid='' host='' comm='' written
  [[ ! -f $1 ]] || read -r pid host <"$1" || : # half a line says nothing
  [[ $pid =~ ^[0-9]+$ && $pid != "$$" ]] || return 0
  if [[ $host == "$HOSTNAME" ]]; then
    [[ ! -r /proc/$pid/comm ]] || read -r comm 2>/dev/null <"/proc/$pid/comm" || comm='' # it has just ended
    [[ $comm != git* ]] || LOCK_GC_HOLDER="process $pid"
  else
    written=$(stat -c %Y -- "$1")
    ((EPOCHSECONDS - written > 12 * LOCK_GC_FRESH)) || LOCK_GC_HOLDER="process $pid on $host"
  fi
}

# `git prune` and `git repack -ad` ask for no lock. Git has a setting by which they refuse, and gc leaves out what would
# remove anything: it stands in the project's settings while a run goes on. The file beside the lock says that it is ours.
readonly LOCK_PRECIOUS=extensions.preciousObjects

# lock::keep_prune_out: until lock::let_prune_in. One that began before is not stopped.
lock::keep_prune_out() {
  local marker=$ORKESTRA_GIT_DIR/orkestra/precious now
  [[ ! -e $marker ]] || return 0                                           # of a run that was killed
  now=$(git::project config --local --get "$LOCK_PRECIOUS") || (($? == 1)) # there is none
  [[ -z $now ]] || return 0                                                # a person's own
  : >"$marker"
  git::project config --local "$LOCK_PRECIOUS" true 2>/dev/null && return
  rm -f -- "$marker"
  log::write warn "cannot write $ORKESTRA_GIT_DIR/config: git prune and git repack -ad are not kept out"
}

lock::let_prune_in() {
  local marker=$ORKESTRA_GIT_DIR/orkestra/precious status=0
  [[ -e $marker ]] || return 0
  git::project config --local --unset "$LOCK_PRECIOUS" 2>/dev/null || status=$?
  # 5: somebody has taken it out already.
  if ((status == 0 || status == 5)); then
    rm -f -- "$marker"
  else
    log::write warn "cannot take $LOCK_PRECIOUS out of $ORKESTRA_GIT_DIR/config: git config --unset $LOCK_PRECIOUS"
  fi
}

lock::let_gc_in() {
  local file=$ORKESTRA_GIT_DIR/gc.pid pid=''
  [[ ! -f $file ]] || read -r pid _ <"$file" || : # as above
  [[ $pid != "$$" ]] || rm -f -- "$file"
}
