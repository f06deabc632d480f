# shellcheck shell=bash
# What a command may take: output, disk, processes, memory. One that takes more is ended, and LIMITS_REASON says why.
#
# A command that ends within LIMITS_TICK seconds costs no process and no look beside the one at its end. The settings are
# ORKESTRA_OUTPUT_LIMIT, ORKESTRA_DISK_LIMIT and ORKESTRA_MEMORY_LIMIT (MiB) and ORKESTRA_PROCESSES_LIMIT; 0 is none.
#
#   processes, memory   the kernel holds them in a control group (cgroup.bash). Where there is none, processes are counted
#                       at each look and bounded by RLIMIT_NPROC (which root is above); memory has no bound.
#   output, disk        looked at: a command may be over for as long as it is between two looks. No file grows beyond
#                       LIMITS_FILE in any case.

use clock process SAFETY/cgroup SAFETY/census SAFETY/leftovers SAFETY/sandbox

readonly LIMITS_TICK=2                           # seconds between two looks
readonly LIMITS_FILE=$((8 * 1024 * 1024 * 1024)) # bytes: the largest file
readonly LIMITS_KEPT=$((16 * 1024 * 1024))       # bytes of a log that are kept
readonly LIMITS_LOOK_SHARE=20                    # one part in so many of the time goes into measuring the disk
readonly LIMITS_LOOK_MOST=120                    # seconds between two measurements at most

LIMITS_REASON='' # which limit ended the command: "printed more than 256 MiB (ORKESTRA_OUTPUT_LIMIT)"
# shellcheck disable=SC2034  # for whoever calls limits::run
LIMITS_LOST='' # why a job on another machine is lost: neither it nor what it was to judge is to blame
# shellcheck disable=SC2034  # as above
LIMITS_BEGUN=1    # whether it had begun there
LIMITS_TOOK=0     # seconds that the command lived
LIMITS_ON_LOOK=:  # called at each look; it may set LIMITS_REASON
LIMITS_SANDBOX=() # options for sandbox.sh
LIMITS_OUTPUT=0 LIMITS_DISK=0 LIMITS_PROCESSES=0 LIMITS_MEMORY=0
LIMITS_ENDED='' LIMITS_OWN='' LIMITS_REFUSED=0 LIMITS_KILLED=0
LIMITS_DU='' LIMITS_DU_PID='' LIMITS_DU_SINCE=0 LIMITS_DU_NEXT=0 LIMITS_SIZE=0

# limits::open [own]: reads the settings and has a group, our caller's (ORKESTRA_PIDS_GROUP, ORKESTRA_MEMORY_GROUP) or,
# where there is none or with `own`, a new one, which limits::close removes.
limits::open() {
  limits::_setting LIMITS_OUTPUT ORKESTRA_OUTPUT_LIMIT 256 1048576
  limits::_setting LIMITS_DISK ORKESTRA_DISK_LIMIT 20480 1048576
  limits::_setting LIMITS_PROCESSES ORKESTRA_PROCESSES_LIMIT 4096 1
  limits::_setting LIMITS_MEMORY ORKESTRA_MEMORY_LIMIT 0 1048576
  if [[ ${1:-} != own && -v ORKESTRA_PIDS_GROUP ]]; then
    CGROUP_PIDS=$ORKESTRA_PIDS_GROUP CGROUP_MEMORY=${ORKESTRA_MEMORY_GROUP:-}
  else
    cgroup::make "$LIMITS_PROCESSES" "$LIMITS_MEMORY"
    LIMITS_OWN=1
  fi
  limits::_options
}

# limits::share: a new group for what this process starts one after the other; what killed ones left is ended first.
limits::share() {
  cgroup::sweep
  limits::open own
  export ORKESTRA_PIDS_GROUP=$CGROUP_PIDS ORKESTRA_MEMORY_GROUP=$CGROUP_MEMORY
}

limits::_setting() {
  local value=${!2:-$3}
  error::need_number "$value" "$2"
  printf -v "$1" '%s' "$((value * $4))"
}

limits::_options() {
  LIMITS_SANDBOX=(--files-limit "$LIMITS_FILE")
  [[ -z $CGROUP_PIDS ]] || LIMITS_SANDBOX+=(--group "$CGROUP_PIDS")
  [[ -z $CGROUP_MEMORY || $CGROUP_MEMORY == "$CGROUP_PIDS" ]] || LIMITS_SANDBOX+=(--group "$CGROUP_MEMORY")
  [[ -n $CGROUP_PIDS || $LIMITS_PROCESSES == 0 ]] || LIMITS_SANDBOX+=(--processes-limit "$LIMITS_PROCESSES")
}

# limits::run VAR PLACE LOG FOLDER... -- SECONDS OPTIONS... -- COMMAND...: a command in its sandbox, its output in LOG,
# watched. PLACE is the workspace, or a reviewer's place in it; FOLDERs are what the command may write to. VAR gets its
# exit status, LIMITS_REASON why it was ended, if it was. Nothing of it is left. LOG keeps the beginning and the end of
# what was too much to keep. Where ORKESTRA_LAUNCHER is set all of that happens on another machine, and LIMITS_LOST is
# not empty where it does not say how it ended.
limits::run() {
  if [[ -n ${ORKESTRA_LAUNCHER:-} ]]; then
    use SAFETY/launcher
    launcher::run "$@"
    return
  fi
  local _var=$1 _place=$2 _log=$3 _folders=() _held _began _now
  shift 3
  while [[ $1 != -- ]]; do
    _folders+=("$1")
    shift
  done
  LIMITS_REASON=''
  cgroup::limit "$LIMITS_PROCESSES" "$LIMITS_MEMORY"
  cgroup::refusals LIMITS_REFUSED
  cgroup::kills LIMITS_KILLED
  limits::pipe LIMITS_ENDED _held "$_place/ended"
  clock::passed _began
  process::start_here sandbox::become "${LIMITS_SANDBOX[@]}" --hold "$_held" --seconds "${@:2}" >"$_log" 2>&1 </dev/null
  exec {_held}>&-
  limits::_watch "$_log" "${_folders[@]}"
  [[ -z $LIMITS_REASON ]] || process::stop KILL
  process::wait "$_var"
  clock::passed _now
  # shellcheck disable=SC2034  # as above
  LIMITS_TOOK=$((_now - _began))
  exec {LIMITS_ENDED}<&-
  limits::_forget_measure
  leftovers::end "$_place" "${LIMITS_REASON:+now}"
  cgroup::empty
  limits::_kernel
  limits::_finish_log "$_log"
}

# limits::pipe READ WRITE FIFO: descriptors of a pipe that closes when whoever holds WRITE has ended. Opened in both ways
# first, since opening one end waits for the other.
limits::pipe() {
  local -n _read_end=$1 _write_end=$2
  local _both
  if [[ ! -p $3 || -L $3 ]]; then
    rm -rf -- "$3"
    mkfifo -m 600 -- "$3"
  fi
  exec {_both}<>"$3"
  exec {_read_end}<"$3"
  exec {_write_end}>"$3" {_both}>&-
}

limits::_watch() {
  local status
  LIMITS_DU_NEXT=0
  while [[ -z $LIMITS_REASON ]]; do
    status=0
    read -r -t "$LIMITS_TICK" -u "$LIMITS_ENDED" _ || status=$?
    ((status != 1)) || break
    kill -0 "$PROCESS_PID" 2>/dev/null || break
    limits::_output "$1"
    limits::_kernel
    limits::_processes
    limits::_disk "${@:2}"
    "$LIMITS_ON_LOOK"
  done
}

# limits::_exceeded TEXT SETTING: the first limit that was met is the reason.
limits::_exceeded() {
  [[ -n $LIMITS_REASON ]] || LIMITS_REASON="$1 ($2)"
}

# limits::_output LOG: LIMITS_SIZE is its length.
limits::_output() {
  process::answer LIMITS_SIZE stat -c %s -- "$1"
  ((LIMITS_OUTPUT == 0 || LIMITS_SIZE <= LIMITS_OUTPUT)) \
    || limits::_exceeded "printed more than $((LIMITS_OUTPUT >> 20)) MiB" ORKESTRA_OUTPUT_LIMIT
}

# What the kernel refused since the command began.
limits::_kernel() {
  local refused killed
  cgroup::refusals refused
  cgroup::kills killed
  ((refused <= LIMITS_REFUSED)) || limits::_too_many
  ((killed <= LIMITS_KILLED)) \
    || limits::_exceeded "needed more than $((LIMITS_MEMORY >> 20)) MiB of memory" ORKESTRA_MEMORY_LIMIT
}

limits::_too_many() {
  limits::_exceeded "ran more than $LIMITS_PROCESSES processes at once" ORKESTRA_PROCESSES_LIMIT
}

# Where no group counts for us. There is nothing to count while the whole machine has fewer.
limits::_processes() {
  local all count
  [[ -z $CGROUP_PIDS ]] && ((LIMITS_PROCESSES > 0)) || return 0
  read -r _ _ _ all _ </proc/loadavg
  ((${all#*/} > LIMITS_PROCESSES)) || return 0
  census::below "$PROCESS_PID" count
  ((count <= LIMITS_PROCESSES)) || limits::_too_many
}

# The disk is measured beside the command, as often as the measurement is cheap.
limits::_disk() {
  local used now
  clock::passed now
  ((LIMITS_DISK > 0 && now >= LIMITS_DU_NEXT)) || return 0
  if [[ -z $LIMITS_DU ]]; then
    LIMITS_DU_SINCE=${EPOCHREALTIME/./}
    limits::_measure "$@"
    # Mostly it is a matter of milliseconds.
    limits::_measured used 1
  else
    limits::_measured used 0.01
  fi
  [[ -n $used ]] || return 0
  ((used <= LIMITS_DISK)) || limits::_exceeded "filled more than $((LIMITS_DISK >> 20)) MiB of disk" ORKESTRA_DISK_LIMIT
}

# A folder that is not there, or that cannot be read, has no bytes.
limits::_measure() {
  # shellcheck disable=SC2312  # what it could not look at it has not counted, which is as good as it gets
  exec {LIMITS_DU}< <(exec setpriv --pdeathsig KILL -- \
    du --summarize --total --block-size=1 --one-file-system -- "$@" 2>/dev/null)
  LIMITS_DU_PID=$!
}

limits::_forget_measure() {
  [[ -n $LIMITS_DU ]] || return 0
  exec {LIMITS_DU}<&-
  kill -KILL "$LIMITS_DU_PID" 2>/dev/null || : # it may have come to its end
  LIMITS_DU=''
}

# limits::_measured VAR SECONDS: VAR gets the bytes, or nothing while they are still being counted.
limits::_measured() {
  local _size _name _took _now
  printf -v "$1" ''
  while read -r -t "$2" -u "$LIMITS_DU" _size _name; do
    [[ $_name == total && $_size =~ ^[0-9]+$ ]] || continue
    printf -v "$1" '%s' "$_size"
    limits::_forget_measure
    _took=$(((${EPOCHREALTIME/./} - LIMITS_DU_SINCE) * LIMITS_LOOK_SHARE / 1000000))
    clock::passed _now
    LIMITS_DU_NEXT=$((_now + (_took < LIMITS_LOOK_MOST ? _took : LIMITS_LOOK_MOST)))
    return
  done
}

# The last look at the output, and what is kept of it: the beginning, the end, and a word of what is missing.
limits::_finish_log() {
  local log=$1 half=$((LIMITS_KEPT / 2))
  # Where it is short no process is started to see it.
  if LC_ALL=C IFS= read -r -d '' -n 16384 _ <"$log"; then
    limits::_output "$log"
    if ((LIMITS_SIZE > LIMITS_KEPT)); then
      {
        process::to_its_end head -c "$half" -- "$log"
        printf '\norkestra: %s bytes are left out here\n' "$((LIMITS_SIZE - 2 * half))"
        process::to_its_end tail -c "$half" -- "$log"
      } >"$log.new"
      process::to_its_end mv -f -- "$log.new" "$log"
    fi
  fi
  [[ -z $LIMITS_REASON ]] || printf '\norkestra: ended, since it %s\n' "$LIMITS_REASON" >>"$log"
}

# limits::close: a group that was made here goes.
limits::close() {
  [[ -z $LIMITS_OWN ]] || cgroup::remove
}
