#!/usr/bin/env bash
# Summary: Takes a landed change back: its reverse lands on the branch as it is today, with an outcome that says so.
# Usage: undo.sh [--project P] [--outcome ID] [--anyway] TASK
# Options:
#   --outcome ID  an earlier landing of the task than its last one
#   --anyway      although the project's check fails without the change
# Exit: 0; 1 it conflicts with what came after it, the check fails, or a person's edit is in the way: nothing was changed;
#   or it is undone, and not pushed though the project asks for it; 64 65 73 78 as in docs/scripting.md; 130, 143 stopped.
#   It needs no run, and a run that goes on takes it in. What is checked is what lands: if the branch moves meanwhile it
#   is done once more, and then in its turn to land, so that nothing can come between.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log context process git land lock away

PROJECT='' TASK='' OUTCOME='' ANYWAY=''
FOLDER='' WORKSPACE='' HEAD='' TREE='' FILES=0 PATCH_ID='' CHECK=0 NAME=''
TURN=''

undo::parse() {
  while (($# > 0)); do
    case $1 in
      --project | --outcome)
        (($# > 1)) || die "$EX_USAGE" "undo.sh: $1 needs a value" "see the head of $0"
        if [[ $1 == --project ]]; then PROJECT=$2; else OUTCOME=$2; fi
        shift
        ;;
      --anyway) ANYWAY=1 ;;
      -*) die "$EX_USAGE" "undo.sh: unknown option '$1'" "see the head of $0" ;;
      *)
        [[ -z $TASK ]] || die "$EX_USAGE" "undo.sh takes one task" "see the head of $0"
        TASK=$1
        ;;
    esac
    shift
  done
  [[ $TASK =~ ^[a-z0-9][a-z0-9._-]{0,63}$ ]] || die "$EX_USAGE" "undo.sh needs the id of a task" "orkestra task list shows them"
  [[ -z $OUTCOME || $OUTCOME =~ ^outcome-[0-9]{3,12}$ ]] || die "$EX_USAGE" "--outcome takes an id such as outcome-007" "orkestra task show $TASK has them"
}

# A step that is a child; STATUS and RESULT are what it gave. Told to stop meanwhile: nothing was changed.
STATUS=0 RESULT=''
undo::step() {
  process::run STATUS "$@" >"$FOLDER/result"
  [[ -z $PROCESS_STOPPING ]] || undo::stopped
  RESULT=$(<"$FOLDER/result")
}

undo::stopped() {
  say 'stopped: nothing was changed'
  exit 143
}

# A step over records; what is wrong it has said itself.
undo::python() {
  undo::step "$ORKESTRA_PYTHON" -m orkestra_shim.undo "$@"
  ((STATUS == 0)) || exit "$STATUS"
}

# One landing at a time, a run's as well as ours.
undo::take_turn() {
  [[ -z $TURN ]] || return 0
  exec {TURN}>>"$ORKESTRA_GIT_DIR/orkestra/landing.lock"
  flock --nonblock "$TURN" && return 0
  say 'waiting for a landing that is under way'
  process::run STATUS flock "$TURN"
  [[ -z $PROCESS_STOPPING ]] || undo::stopped
}

undo::end_turn() {
  [[ -z $TURN ]] || exec {TURN}>&-
  TURN=''
}

undo::folders() {
  FOLDER=$ORKESTRA_PROJECT/logs/execution/undo WORKSPACE=$ORKESTRA_WORKSPACES/undo
  mkdir -p -- "$FOLDER" "$WORKSPACE" "$ORKESTRA_GIT_DIR/orkestra" "$ORKESTRA_LOGS" \
    || die "$EX_CANNOT_WRITE" "cannot write $FOLDER or $WORKSPACE" "see their owner and rights"
  # Two at once take turns; of a killed one nothing works in the workspace any more once we hold this.
  exec 6>>"$WORKSPACE/lock"
  flock 6
  FOLDER+=/$TASK
  mkdir -p -- "$FOLDER"
  [[ ! -L $FOLDER && ! -L ${FOLDER%/*} ]] || die "$EX_CANNOT_WRITE" "$FOLDER is a link, which leads elsewhere" "remove it"
}

# The change reversed onto HEAD, in the workspace: TREE. A merge whose base is what the change had made, whatever has
# become of its commit since.
undo::reverse() {
  local after before base ours
  git::head HEAD
  undo::python plan "$FOLDER" "$HEAD" "$TASK" ${OUTCOME:+"$OUTCOME"}
  read -r after before <<<"$RESULT"
  base=$(git::project commit-tree -m 'what the change had made' "$after")
  ours=$(git::project commit-tree -m 'the branch' -p "$base" "$HEAD^{tree}")
  export ORKESTRA_BINDS=$FOLDER/binds
  undo::step "$ORKESTRA_SCRIPTS/CORE/workspace.sh" prepare "$WORKSPACE" "$HEAD"
  ((STATUS == 0)) || exit "$STATUS"
  undo::furnish
  undo::step "$ORKESTRA_SCRIPTS/CORE/workspace.sh" merge "$WORKSPACE" "$base" "$before" "$ours"
  ((STATUS != 1)) || undo::conflict
  ((STATUS == 0)) || exit "$STATUS"
  TREE=$RESULT
  # Until it lands no branch holds it, and the check takes its time: a person's `git gc` leaves it alone.
  git::own_ref refs/orkestra/undo "$TREE"
  undo::step "$ORKESTRA_SCRIPTS/CORE/workspace.sh" measure "$WORKSPACE" "$FOLDER" "$HEAD" "$TREE"
  ((STATUS == 0)) || exit "$STATUS"
  read -r _ FILES PATCH_ID _ <<<"$RESULT"
}

# The check may need what the setup makes.
undo::furnish() {
  undo::step "$ORKESTRA_SCRIPTS/SAFETY/furnish.sh" "$WORKSPACE" "$HEAD" "$FOLDER/setup" "$FOLDER/setup.log" \
    "$(<"$FOLDER/check-timeout")"
  ((STATUS != 0)) || return 0
  undo::not_lost "the setup of the workspace"
  die "$EX_CONFIG" "the setup of the workspace ${RESULT:-failed (exit $STATUS)}: see $FOLDER/setup.log" \
    'nothing was changed: mend "setup" in config/project.json, or what it needs'
}

# A job that was lost on another machine (SAFETY/lib/launcher.bash) says nothing of the change.
undo::not_lost() {
  [[ $RESULT != 'was lost: '* ]] || die "$EX_FAILED" "$1 $RESULT: nothing was changed" "try again: orkestra undo $TASK"
}

undo::conflict() {
  local paths=$RESULT
  RESULT=$("$ORKESTRA_PYTHON" -m orkestra_shim.undo blocked "$FOLDER" <<<"$paths")
  die "$EX_FAILED" "the change of $TASK cannot be taken back by itself: nothing was changed"$'\n'"$RESULT" \
    "undo what came after it first, or take it back by hand: git revert"
}

# The project's own check on what would be the branch.
undo::check() {
  local said
  undo::step "$ORKESTRA_SCRIPTS/SAFETY/check.sh" "$WORKSPACE" "$FOLDER/check" \
    "$FOLDER/check.log" "$(<"$FOLDER/check-timeout")"
  CHECK=$STATUS said=${RESULT:-exit $STATUS}
  ((CHECK != 0)) || return 0
  undo::not_lost "the project's check"
  if [[ -n $ANYWAY ]]; then
    warn "the project's check fails without the change ($said): undone all the same, as asked"
    return
  fi
  die "$EX_FAILED" "the project's check fails without the change of $TASK ($said): nothing was changed; see $FOLDER/check.log" \
    "orkestra undo --anyway $TASK takes it back all the same"
}

# The reverse, its record, and the one move of the branch over both. STATUS is 20 where the branch moved meanwhile.
undo::land() {
  local now change tree message
  undo::take_turn
  git::head now
  if [[ $now != "$HEAD" ]]; then
    STATUS=$LAND_MOVED
    return
  fi
  process::shield
  undo::python message "$FOLDER" "$TREE"
  NAME=${RESULT%% *} message=${RESULT#* }
  change=$("$ORKESTRA_SCRIPTS/CORE/land.sh" commit "$HEAD" "$TREE" "$message") || exit
  undo::python record "$FOLDER" "$TREE" "$change" "$PATCH_ID" "$FILES" "$CHECK"
  tree=${RESULT%% *} message=${RESULT#* }
  now=$("$ORKESTRA_SCRIPTS/CORE/land.sh" commit "$change" "$tree" "$message") || exit
  undo::step "$ORKESTRA_SCRIPTS/CORE/land.sh" move "$HEAD" "$now"
  process::on_stop undo::stopped
}

undo::end() {
  case $STATUS in
    0) ;;
    "$LAND_IN_THE_WAY")
      die "$EX_FAILED" "it would change ${RESULT//$'\n'/, }, where there are edits that are not committed: nothing was changed" \
        "commit them, or put them away: git stash"
      ;;
    "$EX_CANNOT_WRITE") exit "$STATUS" ;; # it has said why
    *) die "$EX_CANNOT_WRITE" "the landing failed (exit $STATUS): nothing was changed" "see $ORKESTRA_LOGS/orchestrator.log" ;;
  esac
  local files="$FILES files"
  ((FILES != 1)) || files='1 file'
  log::write info "$TASK: undone as $NAME"
  say "undone as $NAME, $files; $TASK is cancelled, and orkestra task retry $TASK puts it to work again"
  undo::python said "$FOLDER"
  [[ -z $RESULT ]] || say_lines "$RESULT"
}

# Where the branch is pushed after landings it is pushed after this one: by the run that goes on, or here.
undo::push() {
  local remote status
  remote=$(<"$FOLDER/push-to")
  [[ -n $remote ]] || return 0
  lock::keep_runs_out
  exec 9>&-
  if [[ -z $LOCK_HELD ]]; then
    say "the run that goes on pushes it to $remote"
    return
  fi
  process::on_stop undo::not_pushed
  mkdir -p -- "$FOLDER/remote"
  away::push status "$FOLDER/remote" "$remote" "refs/heads/$ORKESTRA_BRANCH" "refs/heads/$ORKESTRA_BRANCH"
  [[ -z $PROCESS_STOPPING ]] || undo::not_pushed
  if ((status == 0)); then
    say "pushed to $remote"
    return
  fi
  RESULT=$("$ORKESTRA_PYTHON" -m orkestra_shim.undo unpushed "$FOLDER" "$status")
  die "$EX_FAILED" "${RESULT%%$'\n'*}" "${RESULT#*$'\n'}"
}

undo::not_pushed() {
  say 'stopped: it is undone, and not pushed'
  exit 143
}

main() {
  undo::parse "$@"
  context::load "$PROJECT"
  process::on_stop undo::stopped
  undo::folders
  undo::reverse
  undo::check
  undo::land
  while ((STATUS == LAND_MOVED)); do
    undo::reverse
    undo::check
    undo::land
  done
  undo::end_turn
  git::project update-ref -d refs/orkestra/undo
  undo::end
  undo::push
}

main "$@"
