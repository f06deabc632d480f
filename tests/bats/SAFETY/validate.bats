#!/usr/bin/env bats
# SCRIPTS/SAFETY/validate.sh and the validators before and after a task.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  W=$PLACE/w1 T=$PLACE/ticket A=$PLACE/attempt BASE=0123456789012345678901234567890123456789
  mkdir -p "$W/git" "$W/tree/src" "$T" "$A" "$PLACE/runtime"
  export ORKESTRA_SANDBOX=off ORKESTRA_RUNTIME=$PLACE/runtime
  ticket
  printf 'a-task\t1\t%s\n' "$BASE" >"$W/owner"
}

ticket() {
  echo a-task >"$T/task"
  echo 1 >"$T/try"
  echo 60 >"$T/timeout"
  echo 60 >"$T/check-timeout"
  echo /bin/true >"$T/adapter"
}

before() { run "$SCRIPTS/SAFETY/validate.sh" before --workspace "$W" --ticket "$T" --attempt "$A" --base "$BASE" "$@"; }
after() { run "$SCRIPTS/SAFETY/validate.sh" after --workspace "$W" --ticket "$T" --attempt "$A" "$@"; }

@test "all is well: nothing is said" {
  before
  assert_status 0
  assert_equal "$output" ''
  after
  assert_status 0
  assert_equal "$output" ''
}

@test "the ticket: ids and bounds" {
  local name value
  while IFS='|' read -r name value; do
    printf '%s' "$value" >"$T/$name"
    before --only ticket
    assert_status 1
    assert_matches "$output" '^ticket: '
    ticket
  done <<'E'
task|../x
task|A
task|-x
task|$(id)
try|0
try|a[$(id)]
timeout|
timeout|-1
check-timeout|x
adapter|true
adapter|/no/such/program
adapter|/
E
}

@test "inputs: there, and inside the tree" {
  echo x >"$W/tree/src/in put.md"
  printf '%s\0' 'src/in put.md' >"$T/inputs"
  before
  assert_status 0
  local input
  for input in missing ../ticket/task /etc/passwd src/../../ticket ''; do
    printf '%s\0' "$input" >"$T/inputs"
    before
    assert_status 1
    assert_matches "$output" '^inputs: '
  done
}

@test "allow_paths: patterns that make sense" {
  printf '%s\0' 'src/**' '*.md' 'config/other.json' 'config/' 'a b' >"$T/allow-paths"
  before
  assert_status 0
  local pattern
  for pattern in '' /etc '../x' 'src/../../x' .git/hooks config/project.json logs/voting logs/outcomes/ .gitmodules; do
    printf '%s\0' "$pattern" >"$T/allow-paths"
    before
    assert_status 1
    assert_matches "$output" '^allow-paths: '
  done
}

@test "the workspace belongs to this task, and its parts are plain folders" {
  printf 'other\t1\t%s\n' "$BASE" >"$W/owner"
  before
  assert_status 1
  assert_output_has "workspace: the workspace belongs to 'other"
  after
  assert_status 0
  rm -r "$W/tree"
  ln -s "$PLACE" "$W/tree"
  after
  assert_status 1
  assert_output_has 'workspace: '
}

@test "without a sandbox: a write to the framework or the settings is found, even with its time set back" {
  export ORKESTRA_ROOT=$PLACE/framework ORKESTRA_CONFIG=$PLACE/config
  mkdir -p "$ORKESTRA_ROOT" "$ORKESTRA_CONFIG/agents" "$ORKESTRA_CONFIG/accounts/work"
  echo 'A_KEY=a' >"$ORKESTRA_CONFIG/accounts/work/api-keys.env"
  cp -R "$SCRIPTS" "$ORKESTRA_ROOT/SCRIPTS"
  SCRIPTS=$ORKESTRA_ROOT/SCRIPTS
  before
  assert_status 0
  after
  assert_status 0
  echo '# planted' >>"$SCRIPTS/CORE/lib/log.bash"
  touch -d '2001-01-01' "$SCRIPTS/CORE/lib/log.bash"
  after
  assert_status 1
  assert_output_has 'framework: '
  assert_output_has 'CORE/lib/log.bash'
  ORKESTRA_SANDBOX=required after --only framework
  assert_status 0
  before
  rm "$SCRIPTS/SAFETY/gates/scope"
  after
  assert_status 1
  before
  echo 'A_URL=http://elsewhere' >>"$ORKESTRA_CONFIG/accounts/work/api-keys.env"
  after
  assert_status 1
  assert_output_has 'accounts/work/api-keys.env'
  before
  echo planted >"$ORKESTRA_CONFIG/agents/mine"
  after
  assert_status 1
  before
  after
  assert_status 0
}

@test "without a sandbox: a process that still works in the workspace is found" {
  latch_make UP
  (cd "$W/tree/src" && exec setsid bash -c 'echo >"$1"; exec sleep infinity' x "$LATCH_UP") 3>&- &
  local pid=$!
  latch_wait "$LATCH_UP"
  after --only processes
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null || true
  assert_status 1
  assert_matches "$output" '^processes: process [0-9]+ \((sleep|bash)\) still works'
}

@test "validators are found by being there; list tells what each does; one alone can be asked for" {
  run "$SCRIPTS/SAFETY/validate.sh" list
  assert_status 0
  local file
  for file in "$SCRIPTS"/SAFETY/validators/*/*.bash; do
    file=${file##*/}
    assert_output_has " ${file%.bash}: "
  done
  before --only nothing
  assert_status 64
  cp -R "$SCRIPTS" "$PLACE/SCRIPTS"
  printf '# Summary: mine\nvalidator::my_own() { wrong "as you"$'\''\\n'\''like; }\n' \
    >"$PLACE/SCRIPTS/SAFETY/validators/before/my-own.bash"
  SCRIPTS=$PLACE/SCRIPTS
  before
  assert_status 1
  assert_equal "$output" 'my-own: as you?like'
}

@test "wrong usage" {
  run "$SCRIPTS/SAFETY/validate.sh"
  assert_status 64
  run "$SCRIPTS/SAFETY/validate.sh" before --workspace "$W"
  assert_status 64
  run "$SCRIPTS/SAFETY/validate.sh" before --what x
  assert_status 64
}
