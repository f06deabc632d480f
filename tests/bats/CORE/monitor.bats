#!/usr/bin/env bats
# SCRIPTS/CORE/monitor.sh: the heartbeat of runs, agents without output, disks, workspaces, logs.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  make_project
  RUNTIME=$ORKESTRA_HOME/CONFIG/RUNTIME/0123456789ab LOG=$ORKESTRA_HOME/LOGS/monitor.log
  export ORKESTRA_WORKSPACES_DIR=$PLACE/workspaces ORKESTRA_LEAST_SPACE=0
  unset WATCHED
}

teardown() {
  [[ -z ${WATCHED:-} ]] || kill -KILL "$WATCHED" 2>/dev/null || :
}

monitor() { run "$SCRIPTS/CORE/monitor.sh" --project "$PROJECT" </dev/null; }

# a_run: this test's own process holds the project, as far as anybody can see.
a_run() {
  mkdir -p -- "$PROJECT/.git/orkestra" "$RUNTIME/w1" "$RUNTIME/w2"
  printf '%s %s 2026-01-02T03:04:05+0000\n' "$$" "$HOSTNAME" >"$PROJECT/.git/orkestra/holder"
}

# at_work WORKER TASK TRY SECONDS-AGO: its agent began so long ago, and printed then.
at_work() {
  local folder=$PROJECT/logs/execution/attempts/$2/$3
  mkdir -p -- "$folder"
  printf 'hello\n' >"$folder/output.log"
  touch -d "@$((EPOCHSECONDS - $4))" "$folder/output.log"
  printf '%s\t%s\tshell\twork\t%s\n' "$2" "$3" "$((EPOCHSECONDS - $4))" >"$RUNTIME/$1/now"
}

lines_of() {
  touch -- "$LOG"
  grep -cF -- "$1" "$LOG" || :
}

@test "a run's heartbeat says what each worker is at, and how many outcomes there are" {
  a_run
  at_work w1 landing-page 2 100
  mkdir -p -- "$PROJECT/logs/outcomes"
  printf '{}\n' | tee "$PROJECT/logs/outcomes/outcome-001.json" >"$PROJECT/logs/outcomes/outcome-002.json"
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm records
  monitor
  assert_status 0
  assert_equal "$output" ''
  assert_matches "$(<"$LOG")" " info +a-project\[[0-9]+\] a run goes on: process $$ since 2026-01-02T03:04:05\+0000: w1 landing-page try 2 \(shell\) work for 10[0-9] s; 2 outcomes recorded$"
  rm "$RUNTIME/w1/now"
  monitor
  assert_matches "$(tail -n 1 "$LOG")" ': nobody is at work; 2 outcomes'
}

@test "no run, no heartbeat; nor for one that was killed" {
  monitor
  assert_equal "$status$output" 0
  assert_equal "$(lines_of 'a run goes on')" 0
  a_run
  sleep 0 3>&- &
  local gone=$!
  wait "$gone"
  printf '%s %s x\n' "$gone" "$HOSTNAME" >"$PROJECT/.git/orkestra/holder"
  monitor
  assert_equal "$(lines_of 'a run goes on')" 0
}

@test "an agent without output for the set time is told of once for each attempt" {
  a_run
  at_work w1 slow-task 1 2000
  at_work w2 quick-task 1 1000
  monitor
  assert_equal "$output" "a-project: the agent of slow-task, try 1, has printed nothing for 33 minutes: see $PROJECT/logs/execution/attempts/slow-task/1/output.log"
  monitor
  assert_equal "$output" ''
  assert_equal "$(lines_of 'has printed nothing')" 1
  at_work w1 slow-task 2 2500
  monitor
  assert_output_has 'slow-task, try 2'
  ORKESTRA_STUCK_AFTER=10 monitor
  assert_output_has 'quick-task, try 1'
  assert_output_lacks slow-task
  # A task that has only begun is not stuck, whatever an older try of that number has left.
  printf 'slow-task\t2\tshell\twork\t%s\n' "$EPOCHSECONDS" >"$RUNTIME/w1/now"
  rm "$RUNTIME/w2/now" "$RUNTIME/monitor-said"
  monitor
  assert_equal "$output" ''
  at_work w1 slow-task 2 2500
  # One that has printed since is not stuck, however long it is at work.
  touch "$PROJECT/logs/execution/attempts/slow-task/2/output.log"
  monitor
  assert_equal "$output" ''
}

@test "an agent is named with its account and its model" {
  a_run
  printf 'a\t1\tclaude@work:v/opus-4.1:7b\tcheck\t%s\n' "$EPOCHSECONDS" >"$RUNTIME/w1/now"
  monitor
  assert_status 0
  assert_matches "$(tail -n 1 "$LOG")" 'w1 a try 1 \(claude@work:v/opus-4.1:7b\) check for [0-9]+ s'
}

@test "what a worker's file says is not believed" {
  a_run
  local line
  for line in $'../../x\t1\tshell\twork\t1' $'a\tx[$(touch pwned)]\tshell\twork\t1' $'a\t1\tshell\twork\tx[$(touch pwned)]' \
    $'a\t1\tshell\t$(touch pwned)\t1' 'a' $'a..b\t1\tshell\twork\t1'; do
    printf '%s\n' "$line" >"$RUNTIME/w1/now"
    monitor
    assert_equal "$status$output" 0
    assert_matches "$(tail -n 1 "$LOG")" 'nobody is at work'
  done
  assert_missing "$PLACE/pwned" pwned
}

@test "a disk with less space than it should have is told of once" {
  ORKESTRA_LEAST_SPACE=999999 monitor
  assert_status 0
  assert_matches "$output" '^a-project: only [0-9]+ MiB are free on the disk of .*\.git$'
  ORKESTRA_LEAST_SPACE=999999 monitor
  assert_equal "$output" ''
  monitor # enough again
  assert_equal "$output" ''
  ORKESTRA_LEAST_SPACE=999999 monitor
  assert_output_has 'MiB are free'
  assert_equal "$(lines_of 'MiB are free')" 2
}

@test "without a project, from cron: all projects, in its bare environment; a broken one does not hide the rest" {
  local all=$ORKESTRA_HOME/PROJECTS
  mkdir -p -- "$all/broken/config" "$ORKESTRA_WORKSPACES_DIR/0123456789ab/w1" "$ORKESTRA_WORKSPACES_DIR/aaaabbbbcccc/w1"
  a_run
  mv -- "$PROJECT" "$all/a-project"
  printf 'no JSON\n' >"$all/broken/config/project.json"
  cd / # where cron's children are
  run --separate-stderr env -i HOME="$HOME" LOGNAME=x SHELL=/bin/sh PATH=/usr/bin:/bin ORKESTRA_HOME="$ORKESTRA_HOME" \
    ORKESTRA_VENV="${ORKESTRA_VENV:-$FRAMEWORK/.venv}" ORKESTRA_WORKSPACES_DIR="$ORKESTRA_WORKSPACES_DIR" \
    ORKESTRA_LEAST_SPACE=0 GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 /bin/sh -c "'${SCRIPTS//\'/\'\\\'\'}/CORE/monitor.sh'"
  assert_status 0
  assert_matches "$output" "^workspaces of a project that is not known here: .*/aaaabbbbcccc, [0-9]+ MiB; see: orkestra doctor$"
  # shellcheck disable=SC2154  # bats sets stderr
  assert_matches "$stderr" 'broken/config/project.json'
  assert_equal "$(lines_of 'a run goes on')" 1
  assert_equal "$(lines_of 'no run uses the workspaces of a-project')" 1
  run --separate-stderr "$SCRIPTS/CORE/monitor.sh"
  assert_equal "$status$output" 0
}

@test "a project that cannot be looked at is a failure, and the others get their look" {
  mkdir -p -- "$ORKESTRA_HOME/PROJECTS"
  cp -a -- "$PROJECT" "$ORKESTRA_HOME/PROJECTS/a-project"
  cp -a -- "$PROJECT" "$ORKESTRA_HOME/PROJECTS/other"
  sed -i 's/0123456789ab/ba9876543210/; s/a-project/other/' "$ORKESTRA_HOME/PROJECTS/other/config/project.json"
  mkdir -p -- "$RUNTIME/monitor-said"
  ORKESTRA_LEAST_SPACE=999999 run "$SCRIPTS/CORE/monitor.sh"
  assert_status 70
  assert_output_has 'other: only '
}

@test "it sets large logs aside" {
  mkdir -p -- "$ORKESTRA_HOME/LOGS"
  head -c 1100000 /dev/zero >"$ORKESTRA_HOME/LOGS/orchestrator.log"
  ORKESTRA_LOG_SIZE=1 run "$SCRIPTS/CORE/monitor.sh"
  assert_status 0
  assert_missing "$ORKESTRA_HOME/LOGS/orchestrator.log"
  assert_exists "$ORKESTRA_HOME/LOGS/orchestrator.log.1"
}

# watched: a parent with a monitor that watches it, as a run has; WATCHED is the parent, its child in the file `child`.
watched() {
  bash -c 'source "$0/CORE/lib/boot.bash"; use context; context::load "$1"
    setpriv --pdeathsig KILL -- "$0/CORE/monitor.sh" watch "$$" --every 1 </dev/null >/dev/null &
    echo $! >child
    printf "%s %s x\n" "$$" "$HOSTNAME" >"$1/.git/orkestra/holder"
    wait' "$SCRIPTS" "$PROJECT" 3>&- &
  WATCHED=$!
}

@test "watching, it looks again and again, and dies with its run" {
  a_run
  at_work w1 a-task 1 2000
  watched
  wait_for_line "$LOG" 'a run goes on: process '"$WATCHED"' .* w1 a-task'
  wait_for_line "$LOG" 'a-task, try 1, has printed nothing'
  printf 'b\t1\tshell\tcheck\t%s\n' "$EPOCHSECONDS" >"$RUNTIME/w1/now"
  wait_for_line "$LOG" 'w1 b try 1 \(shell\) check'
  assert_equal "$(lines_of 'has printed nothing')" 1
  local child
  child=$(<child)
  kill -0 "$child"
  kill -KILL "$WATCHED"
  wait_for_end "$child"
}

# monitor_of PID: MONITOR is that run's monitor, once the run has its store.
monitor_of() {
  local end=$((SECONDS + PATIENCE))
  until compgen -G "$ORKESTRA_HOME/CONFIG/RUNTIME/*/run/w2.rep" >/dev/null; do ((SECONDS < end)); done
  MONITOR=$(pgrep -P "$1" -f 'monitor\.sh watch')
}

@test "a run has its monitor, which holds nothing of the run and is gone with it, also when the run is killed" {
  local signal end fd held
  run_orkestra new own
  assert_status 0
  for signal in TERM KILL; do
    "$FRAMEWORK/bin/orkestra" start --project own --stay >out 2>&1 3>&- &
    WATCHED=$!
    monitor_of "$WATCHED"
    held=''
    for fd in "/proc/$MONITOR/fd"/*; do held+=" $(readlink -- "$fd" || :)"; done
    assert_matches "$held" 'monitor\.log'
    [[ $held != *run.lock* && $held != *.req* && $held != *"$PLACE/out"* ]] || assert::_fail "it holds$held"
    kill "-$signal" "$WATCHED"
    wait_for_end "$MONITOR"
    wait_for_end "$WATCHED"
  done
}

@test "watching nobody, it ends at once" {
  run "$SCRIPTS/CORE/monitor.sh" watch 1
  assert_status 0
}

@test "wrong usage" {
  local words
  for words in 'watch' 'look' '--every x --project .' '--every 0' '--project' '--nonsense 1'; do
    # shellcheck disable=SC2086  # several words
    run "$SCRIPTS/CORE/monitor.sh" $words
    assert_status 64
    assert_equal "${#lines[@]}" "$((${#lines[@]} < 3 ? ${#lines[@]} : 2))"
  done
}
