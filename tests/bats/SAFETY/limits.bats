#!/usr/bin/env bats
# SCRIPTS/SAFETY/lib/limits.bash through check.sh: each attack succeeds with its limit off and is ended with it on; as
# whoever runs the tests and as an ordinary user, with the sandbox and without, with a control group and without.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
  export ORKESTRA_GRACE=5 ORKESTRA_OUTPUT_LIMIT=0 ORKESTRA_DISK_LIMIT=0 ORKESTRA_PROCESSES_LIMIT=0 ORKESTRA_MEMORY_LIMIT=0
  AS=() HIDDEN=()
  place_at "$PLACE"
}

place_at() {
  W=$1/'w 1'
  mkdir -p -- "$W/tree" "$1/runtime"
  export ORKESTRA_RUNTIME=$1/runtime
  COMMAND=$1/command LOG=$1/check.log
}

teardown() {
  # What a test killed left its groups: the next start ends them.
  bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/cgroup; cgroup::sweep' sweep "$SCRIPTS"
  [[ -z ${OUTSIDE:-} ]] || rm -rf -- "$OUTSIDE"
}

# as_user: from here on an ordinary user, in a place of their own.
as_user() {
  need_root
  OUTSIDE=$(mktemp -d "${TMPDIR:-/tmp}/orkestra limits é.XXXXXX")
  place_at "$OUTSIDE"
  chown -R nobody -- "$OUTSIDE"
  AS=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups -- env "HOME=$OUTSIDE")
  "${AS[@]}" test -x "$SCRIPTS/SAFETY/check.sh" || skip 'nobody cannot read this checkout'
  "${AS[@]}" "$SCRIPTS/SAFETY/sandbox.sh" --probe || skip 'no sandbox for an ordinary user here'
}

# without_groups: from here on there is no tree of control groups to see.
without_groups() {
  need_root
  HIDDEN=(unshare --mount --propagation private -- sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh)
}

need_groups() {
  local found
  found=$(bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/cgroup; cgroup::_base "$2" base; echo "$base"' find "$SCRIPTS" "$1")
  [[ -n $found ]] || skip "no control group for $1 can be made here"
}

# check SANDBOX COMMAND [SECONDS]
check() {
  printf '%s\n' "$2" >"$COMMAND"
  run --separate-stderr "${HIDDEN[@]}" "${AS[@]}" env ORKESTRA_SANDBOX="$1" "$SCRIPTS/SAFETY/check.sh" "$W" "$COMMAND" "$LOG" "${3:-60}"
}

# ended REASON: the last check was ended for it, and nothing of it is left.
ended() {
  assert_status 1
  assert_equal "$output" "$1"
  nothing_runs
}

succeeded() {
  assert_status 0
  assert_equal "$output" ''
  nothing_runs
}

# Whatever was given this workspace's HOME.
running() {
  printf '%s' "HOME=$W/home" >"$PLACE/mark"
  grep -laF -f "$PLACE/mark" /proc/[0-9]*/environ 2>/dev/null || true
}

# An end takes a moment to be seen; the number of looks is a bound.
nothing_runs() {
  local tries
  for ((tries = 0; tries < 500; ++tries)); do
    [[ -n $(running) ]] || return 0
    sleep 0.02
  done
  running >&2
  return 1
}

# --- told to stop in the middle of a look ------------------------------------------------------------------------

@test "a look at the output that is cut off by a stop is no failure of ours" {
  mkdir -- "$PLACE/bin"
  printf '#!/bin/bash\nkill -TERM 0\nsleep 0.5\nexec %q "$@"\n' "$(type -P stat)" >"$PLACE/bin/stat"
  chmod +x -- "$PLACE/bin/stat"
  echo 'sleep 60' >"$COMMAND"
  run --separate-stderr setsid --wait env PATH="$PLACE/bin:$PATH" ORKESTRA_SANDBOX=required \
    "$SCRIPTS/SAFETY/check.sh" "$W" "$COMMAND" "$LOG" 60
  assert_equal "$stderr" ''
  assert_status 143
  nothing_runs
}

# --- output -----------------------------------------------------------------------------------------------------

# Prints without end where it may: this one ends by itself after 3 MiB and says that it got there.
prints() {
  check "$1" 'head -c 3145728 /dev/zero; echo through >end; sleep 3'
  succeeded
  assert_exists "$W/tree/end"
  ORKESTRA_OUTPUT_LIMIT=2 check "$1" 'for i in {1..100}; do head -c 1048576 /dev/zero; sleep 0.3; done; echo through >late'
  ended 'printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)'
  assert_missing "$W/tree/late"
  # The last words tell the next attempt.
  assert_equal "$(tail -n 1 "$LOG")" 'orkestra: ended, since it printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)'
}

@test "printing without end" { prints required; }
@test "printing without end, without a sandbox" { prints off; }
@test "printing without end, an ordinary user" { as_user && prints required; }

@test "printing too much in no time is too much all the same" {
  ORKESTRA_OUTPUT_LIMIT=2 check required 'head -c 3145728 /dev/zero'
  ended 'printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)'
  ORKESTRA_OUTPUT_LIMIT=3 check required 'head -c 3145728 /dev/zero'
  succeeded
}

@test "output that is written past its own end, or started anew, counts as what it is" {
  # shellcheck disable=SC2016  # for the attacker's shell
  ORKESTRA_OUTPUT_LIMIT=2 check required 'while :; do head -c 65536 /dev/zero >>/proc/self/fd/1; done'
  ended 'printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)'
}

@test "of a long log beginning and end are kept, with a word between" {
  check required 'echo first; head -c 40000000 /dev/zero | tr "\0" x; echo; echo last'
  succeeded
  assert_equal "$(head -n 1 "$LOG")" first
  assert_equal "$(tail -n 1 "$LOG")" last
  assert_matches "$(grep -a orkestra "$LOG")" '^orkestra: [0-9]+ bytes are left out here$'
  (($(stat -c %s "$LOG") < 17000000))
}

# --- disk -------------------------------------------------------------------------------------------------------

# fills SANDBOX: in the tree and in HOME, in many files, none of them large.
fills() {
  # shellcheck disable=SC2016  # for the attacker's shell
  local attack='for ((i = 0; i < 64; ++i)); do head -c 262144 /dev/urandom >"$1/$i"; head -c 262144 /dev/urandom >~/$i; done'
  attack="fill() { $attack; }; fill . && echo through >end && sleep 3"
  check "$1" "$attack"
  succeeded
  assert_exists "$W/tree/end"
  ORKESTRA_DISK_LIMIT=24 check "$1" "$attack; sleep infinity"
  ended 'filled more than 24 MiB of disk (ORKESTRA_DISK_LIMIT)'
}

@test "filling the disk" { fills required; }
@test "filling the disk, without a sandbox" { fills off; }
@test "filling the disk, an ordinary user" { as_user && fills required; }

@test "filling the disk slowly, past the first look" {
  # shellcheck disable=SC2016  # for the attacker's shell
  ORKESTRA_DISK_LIMIT=4 check required 'sleep 5; for ((i = 0; ; ++i)); do head -c 1048576 /dev/urandom >$i; ((i < 9)) || sleep infinity; done'
  ended 'filled more than 4 MiB of disk (ORKESTRA_DISK_LIMIT)'
}

# --- processes --------------------------------------------------------------------------------------------------

# forks SANDBOX: a bomb that ends by itself at 600.
forks() {
  # shellcheck disable=SC2016  # for the attacker's shell
  local attack='for ((i = 0; i < 600; ++i)); do sleep 1000 & done; echo through >end; sleep 3; '
  check "$1" "$attack kill \$(jobs -p)"
  assert_exists "$W/tree/end"
  assert_equal "$output" ''
  nothing_runs
  rm -- "$W/tree/end"
  ORKESTRA_PROCESSES_LIMIT=200 check "$1" "$attack wait"
  ended 'ran more than 200 processes at once (ORKESTRA_PROCESSES_LIMIT)'
}

@test "forking without end" { need_groups pids && forks required; }
@test "forking without end, without a sandbox" { need_groups pids && forks off; }
@test "forking without end, no control group" { without_groups && forks required; }
@test "forking without end, no control group and no sandbox" { without_groups && forks off; }
@test "forking without end, an ordinary user" { as_user && forks required; }
@test "forking without end, an ordinary user without a sandbox" { as_user && forks off; }

@test "the group bounds at once, not at the next look" {
  need_groups pids
  # shellcheck disable=SC2016  # for the attacker's shell
  ORKESTRA_PROCESSES_LIMIT=100 check required 'exec 2>/dev/null
    (for ((i = 0; i < 600; ++i)); do sleep 1000 & done); ls -d /proc/[0-9]* | wc -l >count'
  ended 'ran more than 100 processes at once (ORKESTRA_PROCESSES_LIMIT)'
  [[ ! -e $W/tree/count ]] || (($(<"$W/tree/count") <= 110))
}

@test "an ordinary user's bomb is bounded by the kernel too" {
  as_user
  # shellcheck disable=SC2016  # for the attacker's shell
  ORKESTRA_PROCESSES_LIMIT=200 check required '{ for ((i = 0; i < 2000; ++i)); do sleep 1000 & done; } 2>err; wait'
  ended 'ran more than 200 processes at once (ORKESTRA_PROCESSES_LIMIT)'
  assert_file_has "$W/tree/err" 'Resource temporarily unavailable'
}

# --- memory -----------------------------------------------------------------------------------------------------

@test "memory without end" {
  need_groups memory
  check required 'head -c 209715200 /dev/zero | tail -c 209715200 | wc -c >count'
  succeeded
  assert_equal "$(<"$W/tree/count")" 209715200
  ORKESTRA_MEMORY_LIMIT=64 check required 'head -c 209715200 /dev/zero | tail -c 209715200 | wc -c >count'
  ended 'needed more than 64 MiB of memory (ORKESTRA_MEMORY_LIMIT)'
}

# --- time, and what stays behind --------------------------------------------------------------------------------

hangs() {
  export ORKESTRA_GRACE=1
  check "$1" 'trap "" TERM; (trap "" TERM; setsid sleep 1000 &); while :; do sleep 1000; done' 1
  assert_status 124
  assert_equal "$output" 'took longer than 1 seconds'
  nothing_runs
}

@test "hanging, ignoring TERM, its daemon in a session of its own" { hangs required; }
@test "the same without a sandbox" { hangs off; }
@test "the same without a control group" { without_groups && hangs off; }
@test "the same, an ordinary user without a sandbox" { as_user && hangs off; }

@test "a daemon that keeps the output open is no hang, and ends with the check" {
  local sandbox
  for sandbox in required off; do
    check "$sandbox" '(trap "" TERM; setsid sleep 1000 &); echo ready'
    succeeded
    assert_file "$LOG" ready
  done
}

@test "a group that is shared is empty between one command and the next" {
  need_groups pids
  export ORKESTRA_PROCESSES_LIMIT=100 ORKESTRA_SANDBOX=off
  # shellcheck disable=SC2016  # for the check's shell
  printf 'setsid env -i bash -c "echo \\$\\$ >pid; exec sleep 1000" & until [[ -s pid ]]; do sleep 0.1; done\n' >"$COMMAND"
  # shellcheck disable=SC2016  # for the other shell
  run bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/limits; limits::share; trap limits::close EXIT
    "$1/SAFETY/check.sh" "${@:2}" 60 && ls -d "$ORKESTRA_PIDS_GROUP" && { cat "/proc/$(<"$2/tree/pid")/cmdline" 2>/dev/null || :; } | wc -c' \
    share "$SCRIPTS" "$W" "$COMMAND" "$LOG"
  assert_status 0
  assert_equal "${lines[1]}" 0
}

@test "the dead whom nobody buries are not counted against who comes next in their group" {
  need_groups pids
  export ORKESTRA_PROCESSES_LIMIT=30
  printf 'for ((i = 0; i < 15; ++i)); do sleep 0.2 & done; wait' >"$COMMAND"
  # shellcheck disable=SC2016  # for the other shell
  run bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/limits; limits::share; trap limits::close EXIT
    careless=$2 # a parent that does not look after its children; it leaves the group, they stay
    bash -c '\''printf 0 >"$1/cgroup.procs"; for ((i = 0; i < 25; ++i)); do sleep 0.5 & done
      printf 0 >"${1%/*}/cgroup.procs"; echo out; exec sleep 1000'\'' careless "$ORKESTRA_PIDS_GROUP" >"$careless" &
    disown
    until [[ -s $careless ]]; do sleep 0.1; done
    until [[ -z $(<"$ORKESTRA_PIDS_GROUP/cgroup.procs") ]]; do sleep 0.1; done
    cat "$ORKESTRA_PIDS_GROUP/pids.current"
    "$1/SAFETY/check.sh" "${@:3}" 60 || ended=$?
    kill -KILL $!; exit "${ended:-0}"' dead "$SCRIPTS" "$PLACE/careless" "$W" "$COMMAND" "$LOG"
  assert_equal "$output" 25
  assert_status 0
}

@test "without a sandbox a group finds what has thrown away its session and its environment" {
  need_groups pids
  # shellcheck disable=SC2016  # for the attacker's shell
  local escape='setsid env -i bash -c "echo \$\$ >pid; exec sleep 1000" & until [[ -s pid ]]; do sleep 0.1; done'
  check off "$escape"
  kill -KILL "$(<"$W/tree/pid")" # without a limit there is no group: it is still there
  rm -- "$W/tree/pid"
  ORKESTRA_PROCESSES_LIMIT=100 check off "$escape"
  assert_status 0
  # Killed and not yet buried it has no command line any more.
  [[ -z $(cat "/proc/$(<"$W/tree/pid")/cmdline" 2>/dev/null) ]]
}

# --- what holds here --------------------------------------------------------------------------------------------

# doctor: its two lines on limits.
doctor() {
  run "${HIDDEN[@]}" "$FRAMEWORK/bin/orkestra" doctor
  printf '%s\n' "${lines[@]}" | grep -E '^[a-z]+ +(processes|memory):'
}

@test "doctor says what holds here" {
  need_groups pids && need_groups memory
  export ORKESTRA_PROCESSES_LIMIT=77 ORKESTRA_MEMORY_LIMIT=512 ORKESTRA_SANDBOX=off
  local said
  said=$(doctor)
  assert_matches "$said" '^ok +processes: at most 77, held by a control group in /[^ ]+
ok +memory: at most 512 MiB, held by a control group in /[^ ]+$'
  without_groups
  said=$(doctor)
  assert_matches "$said" '^note +processes: at most 77, counted every two seconds, .*outlives its agent
missing +memory: ORKESTRA_MEMORY_LIMIT=512 cannot hold'
  ORKESTRA_MEMORY_LIMIT=0 doctor | grep -F 'ok      memory: not limited'
}

@test "no group is left by what made it" {
  need_groups pids
  local probe check
  "$SCRIPTS/SAFETY/limits.sh" probe >"$PLACE/said" &
  probe=$!
  wait "$probe"
  assert_matches "$(<"$PLACE/said")" $'^pids\t/[^\n]+\nmemory\t'
  mkfifo "$W/tree/go"
  printf 'read -r _ <go\n' >"$COMMAND"
  ORKESTRA_PROCESSES_LIMIT=9 "$SCRIPTS/SAFETY/check.sh" "$W" "$COMMAND" "$LOG" 60 3>&- &
  check=$!
  latch_open "$W/tree/go"
  [[ -n $(compgen -G "/sys/fs/cgroup/*/orkestra-*-$check") ]]
  wait "$check"
  [[ -z $(compgen -G "/sys/fs/cgroup/*/orkestra-*-$probe") ]]
  [[ -z $(compgen -G "/sys/fs/cgroup/*/orkestra-*-$check") ]]
}

# --- the dead ---------------------------------------------------------------------------------------------------

@test "a group whose maker was killed is removed at the next start, with what is in it; a living one's is not" {
  need_groups pids
  export ORKESTRA_PROCESSES_LIMIT=100 ORKESTRA_SANDBOX=off
  local maker groups
  # shellcheck disable=SC2016  # for the check's shell
  printf 'setsid env -i bash -c "echo \\$\\$ >pid; exec sleep 1000" & until [[ -s pid ]]; do sleep 0.1; done; sleep 1000\n' >"$COMMAND"
  "$SCRIPTS/SAFETY/check.sh" "$W" "$COMMAND" "$LOG" 60 3>&- &
  maker=$!
  wait_for_line "$W/tree/pid" '^[0-9]+$'
  groups=$(compgen -G "/sys/fs/cgroup/*/orkestra-*-$maker")
  bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/cgroup; cgroup::sweep' sweep "$SCRIPTS"
  kill -0 "$(<"$W/tree/pid")"
  kill -KILL "$maker"
  wait "$maker" || true
  kill -0 "$(<"$W/tree/pid")" # the attack: it has outlived its maker
  bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/cgroup; cgroup::sweep' sweep "$SCRIPTS"
  [[ -n $groups && ! -d $groups ]]
  [[ -z $(cat "/proc/$(<"$W/tree/pid")/cmdline" 2>/dev/null) ]]
}

@test "a group of another PID namespace is left alone, whose maker nobody here can look up" {
  need_groups pids
  need_root
  local maker group here=$PLACE/here
  mkfifo "$PLACE/end"
  timeout "$PATIENCE" bash -c 'source "$1/CORE/lib/boot.bash"; use SAFETY/cgroup
    cgroup::make 100 0; echo "$CGROUP_PIDS" >"$2"; read -r _ <"$3"; cgroup::remove' make "$SCRIPTS" "$here" "$PLACE/end" 3>&- &
  maker=$!
  group=$(wait_for_line "$here" ^/)
  # The other one has the same name for its host, and no process of this number.
  unshare --pid --fork --mount-proc bash -c 'test ! -e "/proc/$2"; source "$1/CORE/lib/boot.bash"; use SAFETY/cgroup
    cgroup::sweep' sweep "$SCRIPTS" "${group##*-}"
  [[ -d $group ]]
  latch_open "$PLACE/end"
  wait "$maker"
  [[ ! -d $group ]]
}
