#!/usr/bin/env bats
# SCRIPTS/SAFETY/check.sh: a check's exit status, log, time, home and reach.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
  W=$PLACE/'w 1'
  mkdir -p -- "$W/tree" "$PLACE/runtime"
  export ORKESTRA_SANDBOX=required ORKESTRA_RUNTIME=$PLACE/runtime ORKESTRA_GRACE=5
}

# check COMMAND [SECONDS]
check() {
  printf '%s\n' "$1" >"$PLACE/command"
  "$SCRIPTS/SAFETY/check.sh" "$W" "$PLACE/command" "$PLACE/check.log" "${2:-60}"
}

@test "the check's own exit status, and what it said" {
  run check $'echo out; echo err >&2; cd "$PWD"; exit 3'
  assert_status 3
  assert_file "$PLACE/check.log" $'out\nerr'
  run check 'test -d . && pwd'
  assert_status 0
  assert_file "$PLACE/check.log" "$W/tree"
}

@test "it works in the tree, which it may write, with an empty home" {
  mkdir -p "$W/home/.config/deep"
  echo planted >"$W/home/.config/deep/hook"
  run check 'ls -A ~ && echo built >product && touch ~/mine && cat'
  assert_status 0
  assert_file "$PLACE/check.log" ''
  assert_file "$W/tree/product" built
  run check 'ls -A ~'
  assert_file "$PLACE/check.log" ''
}

@test "a home that was made a link is made anew, not followed" {
  mkdir "$PLACE/elsewhere"
  echo kept >"$PLACE/elsewhere/file"
  ln -s "$PLACE/elsewhere" "$W/home"
  run check 'ls -A ~'
  assert_status 0
  assert_file "$PLACE/check.log" ''
  assert_file "$PLACE/elsewhere/file" kept
}

@test "124 when its time is up, also when it does not listen" {
  run check 'sleep infinity' 1
  assert_status 124
  export ORKESTRA_GRACE=1
  run check 'trap "" TERM; sleep infinity & wait; sleep infinity' 1
  assert_status 124
}

@test "told to stop: the check is told too, and ends with 143" {
  latch_make UP
  # A pipe in the tree, which is what the check can see.
  mkfifo "$W/tree/up"
  printf 'trap "echo told >end; exit 0" TERM; echo >up; sleep infinity & wait\n' >"$PLACE/command"
  "$SCRIPTS/SAFETY/check.sh" "$W" "$PLACE/command" "$PLACE/check.log" 60 3>&- &
  local pid=$! status=0
  latch_wait "$W/tree/up"
  kill -TERM "$pid"
  wait "$pid" || status=$?
  assert_equal "$status" 143
  assert_file "$W/tree/end" told
}

@test "no network unless the project allows it" {
  local interfaces='tail -n +3 /proc/net/dev | grep -cv " lo:"'
  run check "$interfaces"
  assert_file "$PLACE/check.log" 0
  local outside
  outside=$(tail -n +3 /proc/net/dev | grep -c '') || true
  ORKESTRA_CHECK_NETWORK=1 run check 'tail -n +3 /proc/net/dev | grep -c ""'
  assert_file "$PLACE/check.log" "$outside"
}

@test "Git works in the tree by the project's objects; shared folders are as the project says" {
  make_project
  git clone --quiet --shared "$PROJECT" "$W/clone"
  mv "$W/clone/.git" "$W/tree/.git"
  mkdir "$PLACE/data" "$PLACE/scratch"
  echo data >"$PLACE/data/file"
  printf '%s\0' ro "$PLACE/data" "$W/tree/data" rw "$PLACE/scratch" "$W/tree/deep/scratch" >"$PLACE/binds"
  ORKESTRA_GIT_DIR=$PROJECT/.git ORKESTRA_BINDS=$PLACE/binds run check \
    'git log --format=%s; cat data/file; echo x >deep/scratch/new; ! touch data/new 2>/dev/null'
  assert_status 0
  assert_file "$PLACE/check.log" $'Project layout\nFirst commit\ndata'
  assert_exists "$PLACE/scratch/new"
}

@test "what an agent has put in the place of a shared folder, or above it, leads nowhere" {
  mkdir "$PLACE/data" "$PLACE/elsewhere"
  echo data >"$PLACE/data/file" && echo forged >"$PLACE/elsewhere/file"
  printf '%s\0' ro "$PLACE/data" "$W/tree/data" rw "$PLACE/data" "$W/tree/deep/data" >"$PLACE/binds"
  ln -s "$PLACE/elsewhere" "$W/tree/data"
  ln -s "$PLACE/elsewhere" "$W/tree/deep"
  ORKESTRA_BINDS=$PLACE/binds run check 'cat data/file; ! test -e deep/data'
  assert_status 0
  assert_file "$PLACE/check.log" data
  assert_equal "$(ls "$PLACE/elsewhere")" file
  # Without walls it is a link to the folder itself.
  ORKESTRA_SANDBOX=off ORKESTRA_BINDS=$PLACE/binds run check 'cat data/file; ! test -e deep/data'
  assert_status 0
  assert_file "$PLACE/check.log" data
  assert_equal "$(readlink "$W/tree/data") $(ls "$PLACE/elsewhere")" "$PLACE/data file"
}

@test "wrong arguments" {
  run "$SCRIPTS/SAFETY/check.sh" "$W"
  assert_status 64
  run check true 'a[0]'
  assert_status 64
  run "$SCRIPTS/SAFETY/check.sh" "$W" "$PLACE/missing" "$PLACE/check.log" 5
  assert_status 65
}
