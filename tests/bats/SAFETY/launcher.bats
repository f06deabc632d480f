#!/usr/bin/env bats
# SCRIPTS/SAFETY/lib/launcher.bash and remote.sh through check.sh, with a launcher of the test's own that starts its jobs
# on this machine, out of our sessions and groups, and fails in the ways in which one can fail. A real Slurm is in
# tests/e2e/test_slurm.py.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
  W=$PLACE/'spaces é'/w1
  export ORKESTRA_CONFIG=$PLACE/CONFIG ORKESTRA_WORKSPACES=${W%/*} ORKESTRA_GRACE=2 ORKESTRA_LAUNCHER_LEASE=30
  export ORKESTRA_SANDBOX=required ORKESTRA_LAUNCHER=here HERE=$PLACE/here
  mkdir -p -- "$W/tree" "$ORKESTRA_CONFIG/launchers" "$HERE"
  cat >"$ORKESTRA_CONFIG/launchers/here" <<'SH'
#!/usr/bin/env bash
verb=$1 id=$2
printf '%s\0' "$@" >>"$HERE/calls"
case $verb in
  start)
    shift 2
    while [[ $1 != -- ]]; do words+=("$1") && shift; done
    shift
    job=${!#}
    stat -c '%a %n' -- "$job" "$job"/* >"$HERE/modes"
    [[ ! -e $HERE/refuses ]] || { echo 'here: error: no such partition' && exit 0; }
    # shellcheck disable=SC2016
    [[ ! -e $HERE/bare ]] || without=(unshare --mount sh -c 'mount --bind /dev/null "$(command -v bwrap)" && exec "$@"' sh)
    setsid env -i PATH="$PATH" "${without[@]}" "$@" >"$HERE/$id.out" 2>&1 &
    echo $! >"$HERE/$id"
    [[ ! -e $HERE/leaves ]] || { rm "$HERE/leaves" && exit 0; }
    wait
    exit 7
    ;;
  stop)
    [[ ! -e $HERE/deaf ]] || exit 0
    if [[ ${3:-} == now ]]; then kill -KILL -- "-$(<"$HERE/$id")"; else kill -TERM -- "-$(<"$HERE/$id")"; fi 2>/dev/null || :
    ;;
  gone)
    [[ ! -e $HERE/says-gone ]] || exit 0
    [[ -e $HERE/$id ]] || exit 0
    ! kill -0 -- "-$(<"$HERE/$id")" 2>/dev/null
    ;;
esac
SH
  chmod +x "$ORKESTRA_CONFIG/launchers/here"
}

teardown() {
  local file
  for file in "$HERE"/orkestra-*; do
    [[ $file == *.out || ! -s $file ]] || kill -KILL -- "-$(<"$file")" 2>/dev/null || :
  done
}

# check COMMAND [SECONDS]
check() {
  printf '%s\n' "$1" >"$PLACE/command"
  "$SCRIPTS/SAFETY/check.sh" "$W" "$PLACE/command" "$PLACE/check.log" "${2:-60}"
}

# begin COMMAND: a check that goes on; CHECK is its process.
begin() {
  printf '%s\n' "$1" >"$PLACE/command"
  "$SCRIPTS/SAFETY/check.sh" "$W" "$PLACE/command" "$PLACE/check.log" 600 >"$PLACE/said" 2>&1 3>&- &
  CHECK=$!
}

# job: the number of the one job that there was.
job() {
  cat -- "$HERE"/orkestra-*[0-9]
}

no_job() {
  local folder
  for folder in "$W"/jobs/*; do [[ ! -d $folder ]] || return 1; done
}

@test "a job's exit status and output are the command's own, whatever its launcher says" {
  run check 'echo out; echo err >&2; exit 3'
  assert_status 3
  assert_file "$PLACE/check.log" $'out\nerr'
  run check 'true'
  assert_status 0
  run check 'exit 74'
  assert_status 74
  assert_equal "$output" ''
  no_job
}

@test "without a word of its end a job is lost, though its launcher ends with 0; what was not begun cannot begin any more" {
  : >"$HERE/refuses"
  run check 'true'
  assert_status 74
  assert_equal "$output" 'was lost: it was not begun: here: error: no such partition'
  no_job
  assert_missing "$W/unclean"
}

@test "the words of a launcher are words, and nothing of them is evaluated" {
  touch "$PLACE/a" "$PLACE/b"
  # shellcheck disable=SC2016
  ORKESTRA_LAUNCHER='here --x=$(touch made) * ;  `id` "two words"' run check 'true'
  assert_status 0
  local calls
  mapfile -d '' -t calls <"$HERE/calls"
  assert_equal "${calls[*]:2:8}" '--x=$(touch made) * ; `id` "two words" --'
  assert_missing "$PLACE/made"
}

@test "a launcher without a file is refused with a word; no path is one" {
  local name
  for name in nosuch ../here ./here "$ORKESTRA_CONFIG/launchers/here" '-x' ';true'; do
    ORKESTRA_LAUNCHER="$name --x" run --separate-stderr check 'true'
    assert_status 78
    [[ $stderr == *"begins with '${name%% *}', and there is no such launcher"* ]]
  done
}

@test "only its user can read a job's folder, and what the command gets is in no argument and no environment but its own" {
  printf 'A_KEY=canary-4711\0' >"$PLACE/env"
  cat >"$PLACE/run" <<'SH'
source "$1/CORE/lib/boot.bash"
use process SAFETY/limits
limits::open
limits::run status "$2" "$2/log" "$2/tree" -- 60 --rw "$2/tree" --chdir "$2/tree" --env "$3" -- \
  bash -c 'echo "$A_KEY" >key; tr "\0" "\n" </proc/self/environ >environ' --env x -- --env y
limits::close
exit "$status"
SH
  FOREIGN_KEY=canary-4712 run bash "$PLACE/run" "$SCRIPTS" "$W" "$PLACE/env"
  assert_status 0
  assert_file "$W/tree/key" canary-4711
  assert_file_lacks "$W/tree/environ" canary-4712
  assert_file_lacks "$HERE/calls" canary-471
  run grep -cv '^[67]00 ' "$HERE/modes"
  assert_equal "$output" 0
  no_job
}

@test "a job begins once, and not at all when it was withdrawn" {
  mkdir -p "$PLACE/job"
  touch "$PLACE/job/begun"
  run "$SCRIPTS/SAFETY/remote.sh" "$PLACE/job"
  assert_status 1
  assert_output_has 'withdrawn, or begun before'
}

@test "a node where bubblewrap does not work is refused where it is required, though it works here, and not where it is not" {
  need_root
  : >"$HERE/bare"
  run check 'echo ran'
  assert_status 74
  assert_file "$PLACE/check.log" ''
  grep -q "the sandbox is required, and bubblewrap does not work on $HOSTNAME: " "$HERE"/*.out
  rm -r "$ORKESTRA_WORKSPACES/nodes"
  ORKESTRA_SANDBOX=auto run check 'echo ran'
  assert_status 0
  assert_file "$PLACE/check.log" ran
}

@test "the time of a job is its command's: 124, and its grace" {
  run check 'trap "echo told >end; exit 0" TERM; sleep 600 & wait' 1
  assert_status 124
  assert_equal "$output" 'took longer than 1 seconds'
  assert_file "$W/tree/end" told
}

@test "told to stop: TERM comes to the job by its name, and its grace; then 143" {
  mkfifo "$W/tree/up"
  begin 'trap "echo told >end; exit 0" TERM; echo >up; sleep 600 & wait'
  latch_wait "$W/tree/up"
  kill -TERM "$CHECK"
  local status=0
  wait "$CHECK" || status=$?
  assert_equal "$status" 143
  assert_file "$W/tree/end" told
  no_job
}

@test "a launcher that ends before its job does not lose it" {
  : >"$HERE/leaves"
  run check 'sleep 3; exit 3'
  assert_status 3
}

@test "a job that was told to stop by somebody else is lost, and its tree is still its own" {
  mkfifo "$W/tree/up"
  begin 'echo >up; sleep 600'
  latch_wait "$W/tree/up"
  kill -TERM "$(job)"
  local status=0
  wait "$CHECK" || status=$?
  assert_equal "$status" 74
  assert_missing "$W/unclean"
}

@test "what has begun and left no word may be alive: its folders are set apart, and it ends itself" {
  make_project
  export ORKESTRA_GIT_DIR=$PROJECT/.git ORKESTRA_BRANCH=main
  "$SCRIPTS/CORE/workspace.sh" prepare "$W" "$(git -C "$PROJECT" rev-parse HEAD)"
  mkfifo "$W/tree/up"
  begin 'echo >up; while :; do date >>noise; sleep 0.05; done'
  latch_wait "$W/tree/up"
  : >"$HERE/says-gone"
  kill -KILL "$(pgrep -f "here start $(basename "$W"/jobs/orkestra-*)")"
  local status=0
  wait "$CHECK" || status=$?
  assert_equal "$status" 74
  assert_exists "$W/unclean"
  "$SCRIPTS/CORE/workspace.sh" prepare "$W" "$(git -C "$PROJECT" rev-parse HEAD)"
  assert_missing "$W/tree/noise"
  wait_for_end "$(job)"
  assert_missing "$W/tree/noise"
  assert_missing "$W/unclean"
}

@test "what a killed run has left is ended before the workspace is used again" {
  make_project
  export ORKESTRA_GIT_DIR=$PROJECT/.git ORKESTRA_BRANCH=main
  "$SCRIPTS/CORE/workspace.sh" prepare "$W" "$(git -C "$PROJECT" rev-parse HEAD)"
  mkfifo "$W/tree/up"
  begin 'echo >up; trap "" TERM; while :; do date >>noise; sleep 0.05; done'
  latch_wait "$W/tree/up"
  kill -KILL "$CHECK"
  kill -0 "$(job)"
  "$SCRIPTS/CORE/workspace.sh" prepare "$W" "$(git -C "$PROJECT" rev-parse HEAD)"
  run kill -0 "$(job)"
  assert_status 1
  assert_missing "$W/tree/noise"
  no_job
}

@test "a job ends itself when nobody says any more that its run lives" {
  export ORKESTRA_LAUNCHER_LEASE=5
  mkfifo "$W/tree/up"
  begin 'echo >up; trap "" TERM; while :; do sleep 600; done'
  latch_wait "$W/tree/up"
  kill -KILL "$CHECK"
  wait_for_end "$(job)"
  assert_missing "$W/jobs/orkestra-"*/rc
}
