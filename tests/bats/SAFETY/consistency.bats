#!/usr/bin/env bats
# SCRIPTS/SAFETY/consistency.sh: what is wrong with a project, in words; and nothing about one that is well.

bats_require_minimum_version 1.5.0
load ../helpers/common
load ../helpers/core

setup() {
  setup_place
  make_project a-project '{"id": "one", "title": "One"}, {"id": "two", "title": "Two", "depends_on": ["one"]}'
  export ORKESTRA_LEAST_SPACE=0 ORKESTRA_WORKSPACES_DIR=$PLACE/workspaces
  SPACES=$ORKESTRA_WORKSPACES_DIR/0123456789ab RUNTIME=$ORKESTRA_HOME/CONFIG/RUNTIME/0123456789ab
  HEAD=$(head_of_project)
  unset CHILD
}

teardown() {
  [[ -z ${CHILD:-} ]] || kill -KILL "$CHILD" 2>/dev/null || : # it may have ended
}

look() { run "$SCRIPTS/SAFETY/consistency.sh" --project "$PROJECT" "$@" </dev/null; }

# finds AREA TEXT: exactly one thing is wrong, and this is it, with what to do.
finds() {
  look
  assert_status 1
  assert_equal "${#lines[@]}" 1
  assert_output_has "a-project: $1: "
  assert_output_has "$2"
  assert_matches "$output" '\(.+\)$'
}

is_well() {
  look
  assert_equal "$status: $output" '0: '
}

# gone: a process that has ended; its number in GONE.
gone() {
  sleep 0 3>&- &
  GONE=$!
  wait "$GONE"
}

# queue TASKS: the queue of the checkout.
queue() { printf '{"version": 1, "tasks": [%s]}\n' "$1" >"$PROJECT/config/task-queue.json"; }

@test "a project that is well: nothing, as words and as JSON, and nothing is written" {
  before=$(cd "$PROJECT" && find . -printf '%p %T@ %s\n' | sort)
  is_well
  after=$(cd "$PROJECT" && find . -printf '%p %T@ %s\n' | sort)
  assert_equal "$after" "$before"
  look --json
  assert_status 0
  assert_equal "$(jq -c '[.ok, .project.name, .project.running, .findings]' <<<"$output")" '[true,"a-project",false,[]]'
}

@test "a queue that does not parse, a cycle, an unknown id: with line and column" {
  queue '{"id": "one" "title": 1}'
  finds queue 'task-queue.json:1:'
  queue '{"id": "one", "depends_on": ["two"]}, {"id": "two", "depends_on": ["one"]}'
  finds queue 'depends_on makes a cycle: one -> two -> one'
  queue '{"id": "one", "depends_on": ["three"]}'
  finds queue "unknown task 'three'"
  look --json
  assert_status 1
  assert_equal "$(jq -c '[.ok, (.findings | length), .findings[0].area]' <<<"$output")" '[false,1,"queue"]'
}

@test "a queue that was removed from the checkout" {
  rm -- "$PROJECT/config/task-queue.json"
  finds queue 'config/task-queue.json is missing'
  assert_output_has 'checkout -- config/task-queue.json'
}

@test "a status that the records do not bear out" {
  queue '{"id": "one", "status": "completed"}'
  finds queue 'one is called completed, and the branch holds no outcome of it'
  queue '{"id": "one", "reopened": "outcome-007"}'
  finds queue 'put back to work after outcome-007, which the branch does not hold'
}

@test "a record that does not hold" {
  mkdir -p -- "$PROJECT/logs/outcomes"
  printf '{"not": "a record"}\n' >"$PROJECT/logs/outcomes/outcome-001.json"
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm record
  look
  assert_status 1
  assert_output_has 'a-project: records: '
  assert_output_has 'outcome-001'
}

@test "kept work of a task that nobody knows, and a ref that is no commit" {
  git -C "$PROJECT" update-ref refs/orkestra/attempts/one/1 "$HEAD"
  is_well
  git -C "$PROJECT" update-ref refs/orkestra/attempts/old-one/1 "$HEAD"
  finds refs 'refs/orkestra/attempts/old-one/1 keeps work of a task that neither'
  git -C "$PROJECT" update-ref refs/orkestra/attempts/old-one/1 "$HEAD^{tree}"
  finds refs 'is no commit'
}

@test "the pin of a workspace that is gone" {
  git -C "$PROJECT" update-ref refs/orkestra/workspaces/w1 "$HEAD"
  finds refs 'refs/orkestra/workspaces/w1 pins the base of a workspace that is gone'
  mkdir -p -- "$SPACES/w1"
  is_well
}

@test "a change that was about to land and is nowhere else" {
  core_environment
  change=$(a_change "$(tree_with src/a.txt new)")
  git -C "$PROJECT" update-ref refs/orkestra/landing "$change"
  is_well # it names no agent: records alone
  printf 'A change\n\nOrkestra-Task: one\nOrkestra-Agent: shell\n' >"$PLACE/message"
  change=$("$SCRIPTS/CORE/land.sh" commit "$HEAD" "$(tree_with src/a.txt new)" "$PLACE/message")
  git -C "$PROJECT" update-ref refs/orkestra/landing "$change"
  finds refs 'a change of one that is not on the branch is held by refs/orkestra/landing alone'
  git -C "$PROJECT" update-ref refs/orkestra/attempts/one/4 "$change"
  is_well
  git -C "$PROJECT" update-ref -d refs/orkestra/attempts/one/4
  git -C "$PROJECT" update-ref refs/heads/main "$change"
  git -C "$PROJECT" reset -q --hard
  is_well
}

@test "a workspace with unkept work, with lost work, of another owner" {
  mkdir -p -- "$SPACES/w1/tree" "$SPACES/w2/tree"
  printf 'one\t3\t%s\n' "$HEAD" >"$SPACES/w1/owner"
  finds workspace "/w1 holds what attempt 3 at one left"
  printf '../one\t3\t%s\n' "$HEAD" >"$SPACES/w1/owner"
  is_well
  rm "$SPACES/w1/owner"
  mkdir -- "$SPACES/w2/lost-one-2"
  finds workspace 'lost-one-2 holds work that could not be taken'
  rmdir -- "$SPACES/w2/lost-one-2"
  need_root
  chown nobody "$SPACES/w2/tree"
  finds workspace 'tree belongs to nobody, not to root'
}

@test "a run that was killed; one on another machine is taken at its word" {
  gone
  mkdir -p -- "$PROJECT/.git/orkestra"
  printf '%s %s 2026-01-02T03:04:05+0000\n' "$GONE" "$HOSTNAME" >"$PROJECT/.git/orkestra/holder"
  finds run "a run was killed (process $GONE on $HOSTNAME, since 2026-01-02T03:04:05+0000)"
  # Of a dead orchestrator something lives on.
  flock "$PROJECT/.git/orkestra/run.lock" -c 'echo >locked; exec sleep 300' 3>&- &
  CHILD=$!
  wait_for_line locked '' >/dev/null
  finds run 'processes of it still hold the project'
  printf '%s elsewhere x\n' "$GONE" >"$PROJECT/.git/orkestra/holder"
  is_well
  pkill -KILL -P "$CHILD"
}

@test "stopping, with a run or without, leaves nothing to find" {
  "$SCRIPTS/CORE/orchestrator.sh" stop --project "$PROJECT"
  is_well
  flock "$PROJECT/.git/orkestra/run.lock" -c 'echo >locked; exec sleep 300' 3>&- &
  CHILD=$!
  wait_for_line locked '' >/dev/null
  printf '%s %s x\n' "$(pgrep -P "$CHILD")" "$HOSTNAME" >"$PROJECT/.git/orkestra/holder"
  "$SCRIPTS/CORE/orchestrator.sh" stop --project "$PROJECT"
  is_well
}

@test "the living run's state is no fault" {
  mkdir -p -- "$PROJECT/.git/orkestra" "$SPACES/w1/tree" "$RUNTIME/run" "$RUNTIME/w1"
  flock "$PROJECT/.git/orkestra/run.lock" -c 'echo >locked; exec sleep 300' 3>&- &
  CHILD=$!
  wait_for_line locked '' >/dev/null
  printf '%s %s x\n' "$CHILD" "$HOSTNAME" >"$PROJECT/.git/orkestra/holder"
  printf 'one\t3\t%s\n' "$HEAD" >"$SPACES/w1/owner"
  git -C "$PROJECT" update-ref refs/orkestra/workspaces/w7 "$HEAD"
  printf '%s %s\n' "$HEAD" "$HEAD" >"$PROJECT/.git/orkestra-landing"
  ln -- "$PROJECT/.git/orkestra-landing" "$PROJECT/.git/index.lock"
  touch -d '1 hour ago' "$PROJECT/.git/index.lock"
  queue '{"id": "one", "status": "completed"}'
  is_well
  pkill -KILL -P "$CHILD"
}

@test "an index.lock: of nobody living it is wrong; young, open, or of a Git at work it is not" {
  local lock=$PROJECT/.git/index.lock
  : >"$lock"
  is_well
  touch -d '2 hours ago' "$lock"
  finds lock 'belongs to no living process'
  # Somebody has it open.
  sleep 300 3>&- 9<"$lock" &
  CHILD=$!
  is_well
  kill -KILL "$CHILD"
  wait "$CHILD" || : # killed
  finds lock 'belongs to no living process'
}

@test "a landing that was interrupted, also when somebody removed its lock since" {
  core_environment
  change=$(a_change "$(tree_with src/a.txt new)")
  stand_in=$PLACE/bin
  mkdir -- "$stand_in"
  # The landing is killed as it would put the new index in place: the branch has moved.
  printf '#!/bin/sh\ncase "$*" in *orkestra-index*/index) kill -KILL $PPID; sleep 5 ;; *) exec %s "$@" ;; esac\n' "$(command -v mv)" >"$stand_in/mv"
  chmod +x "$stand_in/mv"
  PATH=$stand_in:$PATH run -137 "$SCRIPTS/CORE/land.sh" move "$HEAD" "$change"
  unset "${!ORKESTRA_PROJECT@}" ORKESTRA_LOGS ORKESTRA_RUNTIME ORKESTRA_GIT_DIR ORKESTRA_WORKSPACES
  look
  assert_status 1
  assert_output_has "a-project: checkout: the landing of"
  rm -- "$PROJECT/.git/index.lock"
  look
  assert_output_has 'its lock on the index was removed since'
}

@test "files in .git that belong to somebody else" {
  need_root
  chown nobody "$PROJECT/.git/HEAD"
  finds owner '.git/HEAD in .git do not belong to root'
}

@test "a .git that belongs to somebody else" {
  need_root
  chown -R nobody "$PROJECT/.git"
  finds records "$PROJECT belongs to another user"
}

@test "a disk on which no more files can be made" {
  need_root
  unshare -m true 2>/dev/null || skip 'no mount namespaces here'
  mkdir -p -- "$ORKESTRA_WORKSPACES_DIR"
  run unshare -m bash -c 'mount -t tmpfs -o nr_inodes=40 none "$1" && "$0" --project "$2"' \
    "$SCRIPTS/SAFETY/consistency.sh" "$ORKESTRA_WORKSPACES_DIR" "$PROJECT"
  assert_status 1
  assert_equal "${#lines[@]}" 1
  assert_matches "$output" 'disk: only [0-9]+ files can be made on the disk of '
}

@test "a full disk, a read-only one" {
  ORKESTRA_LEAST_SPACE=999999 finds disk 'MiB are free on the disk of'
  need_root
  unshare -m true 2>/dev/null || skip 'no mount namespaces here'
  run unshare -m bash -c 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && "$0" --project "$1"' \
    "$SCRIPTS/SAFETY/consistency.sh" "$PROJECT"
  assert_status 1
  assert_output_has "is on a disk that is mounted read-only"
}

@test "from cron, in its bare environment" {
  cd /
  run env -i HOME="$HOME" LOGNAME=x SHELL=/bin/sh PATH=/usr/bin:/bin ORKESTRA_HOME="$ORKESTRA_HOME" ORKESTRA_LEAST_SPACE=0 \
    ORKESTRA_VENV="${ORKESTRA_VENV:-$FRAMEWORK/.venv}" GIT_CONFIG_GLOBAL=/dev/null \
    "$SCRIPTS/SAFETY/consistency.sh" --project "$PROJECT"
  assert_equal "$status: $output" '0: '
}

@test "wrong usage, and a project that there is not" {
  look --nonsense
  assert_status 64
  run "$SCRIPTS/SAFETY/consistency.sh" --project "$PLACE/home"
  assert_status 78
  assert_equal "${#lines[@]}" 2
}
