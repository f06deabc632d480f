#!/usr/bin/env bats
# SCRIPTS/CORE/lib/keeper.bash: one process looks after a workspace's tree, task after task.

bats_require_minimum_version 1.5.0
load ../../helpers/common
load ../../helpers/core

setup() {
  setup_place
  need_sandbox
  make_project
  core_environment
  BASE=$(head_of_project)
}

# keeper_shell SCRIPT: what a worker would do, in a process of its own.
keeper_shell() {
  exec bash -c "trap '' PIPE; source '$SCRIPTS/CORE/lib/boot.bash'; use workspace; $1" keeper "$W" "$BASE"
}

@test "it serves one request after the other, and one that was killed is replaced" {
  # shellcheck disable=SC2016  # for the other shell
  run keeper_shell '
    workspace::prepare "$1" "$2"
    first=$KEEPER_PID
    workspace::take "$1" "$2"
    printf "%s %s\n" "$WORKSPACE_STATUS" "$((KEEPER_PID == first))"
    kill -KILL -- "-$KEEPER_PID"
    workspace::take "$1" "$2"
    printf "%s %s %s\n" "$WORKSPACE_STATUS" "$((KEEPER_PID == first))" "$WORKSPACE_RESULT"
    kill -KILL -- "-$KEEPER_PID"
    keeper::_be() { echo "$BASHPID" >&2; exit 1; }
    workspace::take "$1" "$2"
    printf "%s %s\n" "$WORKSPACE_STATUS" "$WORKSPACE_WHY"'
  assert_status 0
  assert_equal "${lines[0]}" '0 1'
  # Its successor does not know what the index holds, and asks.
  assert_equal "${lines[1]}" "0 0 $(git -C "$PROJECT" rev-parse "$BASE^{tree}") -"
  # Where its successor dies too that is the answer.
  assert_equal "${lines[2]}" '65 the workspace cannot be taken: what looks after the tree has died'
  [[ $(<"$W/keeper.log") =~ ^[0-9]+$ ]] # one was tried
}
