#!/usr/bin/env bats
# SCRIPTS/SAFETY/furnish.sh: what a project wants done in a fresh workspace.

bats_require_minimum_version 1.5.0
load ../helpers/common
load ../helpers/core

setup() {
  setup_place
  need_sandbox
  make_project
  printf 'made/\nlogs/execution/\n' >"$PROJECT/.gitignore"
  git -C "$PROJECT" commit -qam ignore
  core_environment
  mkdir "$PLACE/counts"
  printf '%s\0' rw "$PLACE/counts" "$W/tree/counts" >"$PLACE/binds"
  export ORKESTRA_BINDS=$PLACE/binds
  echo 'echo once >>counts/setup; mkdir made; echo made >made/x' >"$PLACE/command"
}

# prepare [landed]: the workspace at the branch's head, for a task that follows one that landed, or another one.
prepare() {
  [[ -z ${1:-} ]] || echo task >"$W/warm"
  "$SCRIPTS/CORE/workspace.sh" prepare "$W" "$(head_of_project)"
}

furnish() {
  run "$SCRIPTS/SAFETY/furnish.sh" "$W" "$(head_of_project)" "$PLACE/command" "$PLACE/setup.log" "${1:-60}"
}

times() { wc -l <"$PLACE/counts/setup"; }

@test "once in a fresh workspace, and not while tasks land" {
  prepare
  furnish
  assert_status 0
  assert_file "$W/tree/made/x" made
  furnish
  prepare landed
  furnish
  assert_status 0
  assert_file "$W/tree/made/x" made
  assert_equal "$(times)" 1
}

@test "again where an attempt did not land, since it may have left what is there" {
  prepare
  furnish
  echo poison >"$W/tree/made/x"
  prepare
  furnish
  assert_file "$W/tree/made/x" made
  assert_equal "$(times)" 2
}

@test "again where its text or a lock file is another one, and for no other file" {
  echo 'echo once >>counts/setup; mkdir -p made' >"$PLACE/command"
  prepare
  furnish
  echo more >>"$PROJECT/README.md" && git -C "$PROJECT" commit -qam more
  prepare landed
  furnish
  assert_equal "$(times)" 1
  mkdir -p "$PROJECT/weiß \"x\"" && echo 1 >"$PROJECT/weiß \"x\"/package-lock.json"
  git -C "$PROJECT" add . && git -C "$PROJECT" commit -qm lock
  prepare landed
  furnish
  assert_equal "$(times)" 2
  echo ': other' >>"$PLACE/command"
  prepare landed
  furnish
  assert_equal "$(times)" 3
}

@test "what it leaves that Git does not ignore is nobody's work" {
  echo 'mkdir made; echo litter >litter; echo other >README.md; rm src -rf; chmod +x .gitignore' >"$PLACE/command"
  prepare
  furnish
  assert_status 0
  local line
  line=$("$SCRIPTS/CORE/workspace.sh" take "$W" "$ATTEMPT" "$(head_of_project)")
  [[ $line == *' 0 - -' && -d $W/tree/made ]]
}

@test "one that fails, or takes too long, says so and is done again" {
  echo 'echo once >>counts/setup; echo no such package; exit 3' >"$PLACE/command"
  prepare
  furnish
  assert_status 3
  assert_equal "$output" 'failed (exit 3)'
  assert_file "$PLACE/setup.log" 'no such package'
  furnish
  assert_equal "$(times)" 2
  echo 'sleep infinity' >"$PLACE/command"
  furnish 1
  assert_status 124
  assert_equal "$output" 'took longer than 1 seconds'
}

@test "it has the network that agents have; a check has none" {
  local outside
  outside=$(tail -n +3 /proc/net/dev | grep -c '') || true
  echo 'tail -n +3 /proc/net/dev | grep -c ""' >"$PLACE/command"
  prepare
  furnish
  assert_file "$PLACE/setup.log" "$outside"
}

@test "no command is nothing to do; wrong arguments" {
  : >"$PLACE/command"
  prepare
  furnish
  assert_status 0
  [[ ! -e $PLACE/setup.log ]]
  run "$SCRIPTS/SAFETY/furnish.sh" "$W"
  assert_status 64
}
