#!/usr/bin/env bash
# Summary: One worker: takes tasks from the store, one after the other, and brings each as far as it goes.
# Usage: worker.sh NUMBER     (started by orchestrator.sh, with its environment and ORKESTRA_RUN)
#   A task goes through stages; each is a function that says what comes next:
#     prepare -> work -> take -> check -> gates -> vote -> land      (a question: ask)
#   Of a task with candidates several workers have one each, which ends after its gates; the next claim is the choice.
#   What a stage does stands by itself (workspace, validate, spawn.sh, check, gates, hold-vote.sh, land): files and
#   arguments in, an exit status out; what follows from its result is decided by the store. Nothing here decides over
#   JSON. The file is long so that a task's whole way can be read from top to bottom in one place.
# Exit: 0 nothing left to do; 143 told to stop; 76 a person took its task away, and another worker takes its place;
#   70 the store is gone or something broke.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use log clock process store git workspace land
# allow dependency-direction: the worker goes through every room
use SAFETY/check SAFETY/furnish SAFETY/limits SAFETY/launcher SAFETY/leftovers SAFETY/validate SAFETY/gates COMMITTEE/vote

WORKSPACE='' TICKET='' ATTEMPT=''
TASK='' TRY='' AGENT='' # the attempt
BASE='' TREE='' FILES=0 PATCH_ID='' OWN=-
STARTED=0 NOW=0 NEXT='' LANDING_FD=''

# What a person sees of a task's way: one line for each turn it takes.
worker::tell() {
  local line=${1//$'\n- '/; }
  line=${line//$'\n'/; }
  say "$(printf '%-24s %s' "$TASK" "$line")"
  log::write info "$TASK: $line"
}

# Runs a step and waits for it; STATUS gets its exit status. Told to stop meanwhile: the step is ended, the work kept.
STATUS=0
worker::step() {
  clock::passed STARTED
  process::run STATUS "$@"
  [[ -z $PROCESS_STOPPING ]] || worker::leave
}

# The same for a step whose output is its result.
RESULT=''
worker::step_result() {
  clock::passed STARTED
  process::start "$@" >"$WORKSPACE/result"
  process::wait STATUS
  [[ -z $PROCESS_STOPPING ]] || worker::leave
  worker::result
}

# The same for a function of ours.
worker::here() {
  process::start_here "$@" >"$WORKSPACE/result"
  process::wait STATUS
  [[ -z $PROCESS_STOPPING ]] || worker::leave
  worker::result
}

worker::result() {
  IFS= read -r -d '' RESULT <"$WORKSPACE/result" || : # it ends where the file ends
  RESULT=${RESULT%$'\n'}
}

# A function of the workspace, with STATUS and RESULT. It speaks to processes of its own; a stop that comes meanwhile is
# met here.
worker::workspace() {
  "workspace::$1" "$WORKSPACE" "${@:2}"
  STATUS=$WORKSPACE_STATUS RESULT=$WORKSPACE_RESULT
  [[ -z $PROCESS_STOPPING ]] || worker::leave
}

# What is in the tree becomes objects of the project: TREE and OWN; STATUS as above.
BASE_TREE='' BASE_OF_TREE=''
worker::take() {
  worker::workspace take "$BASE"
  # No fault of the agent's: its work stays in the workspace, and whoever has it next keeps it.
  ((STATUS != EX_CANNOT_WRITE)) || die "$EX_CANNOT_WRITE" "$WORKSPACE_WHY" "mend that, then start again: the work is kept"
  if ((STATUS == EX_WITHHELD)); then
    workspace::withhold "$WORKSPACE" "$ATTEMPT"
    worker::disowns
  fi
  ((STATUS == 0)) || return 0
  read -r TREE OWN <<<"$RESULT"
  if [[ $TREE == '=' ]]; then
    worker::base_tree
    TREE=$BASE_TREE
  fi
}

# The tree of BASE, asked for once.
worker::base_tree() {
  [[ $BASE_OF_TREE != "$BASE" ]] || return 0
  BASE_TREE=$(git::project rev-parse --verify "$BASE^{tree}")
  BASE_OF_TREE=$BASE
}

# Ends the attempt without a verdict: what is in the workspace is kept under refs first.
LEAVING=143
worker::leave() {
  PROCESS_STOPPING=''
  worker::end_turn
  worker::keep_workspace
  rm -f -- "$TICKET/now"
  exit "$LEAVING"
}

# The orchestrator hears of it, too, and says what the store said.
worker::store_lost() {
  log::write error 'the store of this run is gone'
  exit "$EX_INTERNAL"
}

# The store says that a person has cancelled or undone the task in our hands: the same, and this worker is replaced.
worker::dropped() {
  LEAVING=$EX_DROPPED
  worker::tell 'taken away by a person: what was done is kept'
  process::told worker::leave
}

worker::listen() {
  process::on_stop worker::leave
  trap worker::dropped USR1
}

# A landing takes a moment and is not interrupted; a stop that comes meanwhile is met at the next claim.
worker::shield() {
  process::shield
  trap '' USR1
}

# Whatever the last owner left in the workspace (this worker, or one that was killed) stays reachable.
worker::keep_workspace() {
  local task try base
  [[ -s $WORKSPACE/owner ]] || return 0
  IFS=$'\t' read -r task try base <"$WORKSPACE/owner"
  BASE=$base
  ATTEMPT=$ORKESTRA_PROJECT/logs/execution/attempts/$task/$try
  redact::folder "$ATTEMPT"
  worker::take
  if ((STATUS == EX_WITHHELD)); then
    return
  elif ((STATUS == 0)); then
    worker::base_tree
    if [[ $TREE != "$BASE_TREE" || $OWN != - ]]; then
      mkdir -p -- "$ATTEMPT"
      worker::workspace measure "$ATTEMPT" "$base" "$TREE"
      worker::workspace keep "$task" "$try" "$base" "$TREE" "$OWN"
      worker::settle "$task" "$try" kept
    else
      worker::settle "$task" "$try" nothing
    fi
  else
    log::write warn "$task: what attempt $try left cannot be taken; it is moved aside in $WORKSPACE"
    keeper::end
    mv -T -- "$WORKSPACE/tree" "$WORKSPACE/lost-$task-$try"
  fi
  worker::disowns
}

# The work of this attempt, kept; its commit in KEPT.
KEPT=''
worker::keep() {
  # The next try gets to see it.
  [[ -n $PATCH_ID ]] || worker::workspace measure "$ATTEMPT" "$BASE" "$TREE"
  worker::workspace keep "$TASK" "$TRY" "$BASE" "$TREE" "$OWN"
  KEPT=$RESULT
  worker::settle "$TASK" "$TRY" kept
  worker::disowns
}

# worker::settle TASK TRY kept|nothing: whether the tree that goes with the tool's session, if one is kept, is kept, too
# (orkestra_shim/resuming.py).
worker::settle() {
  local folder=$ORKESTRA_GIT_DIR/orkestra/sessions/$1
  [[ ! -d $folder ]] || printf '%s %s\n' "$2" "$3" >"$folder/settled"
}

# For whoever looks from outside (`orkestra status`): what this worker is at, and since when.
worker::show_stage() {
  printf '%s\t%s\t%s\t%s\t%s\n' "$TASK" "$TRY" "$AGENT" "$1" "$EPOCHSECONDS" >"$TICKET/now"
}

# At no moment is what stood there gone and the new line not written: the first line counts.
worker::owns() {
  printf '%s\t%s\t%s\n' "$TASK" "$TRY" "$BASE" 1<>"$WORKSPACE/owner"
}

# What is in the workspace is nobody's any more: it landed, it is kept, or it is nothing.
worker::disowns() {
  : >"$WORKSPACE/owner"
}

worker::fail() {
  local why=$1
  worker::let_go
  store::ask failed "$why"
  worker::tell "${STORE_REPLY[0]:-again}: $why"
  NEXT=''
}

# worker::lost BEGUN WHY: the job on another machine left no word of its end. Not an attempt: what was only to be judged is
# kept and judged again, else the agent does it again.
worker::lost() {
  local begun=$1 why=$2
  worker::end_turn
  KEPT=''
  if [[ -n $TREE && $FILES != 0 ]]; then worker::keep; else worker::let_go; fi
  workspace::apart "$WORKSPACE"
  store::ask lost "$begun" "$why" "$KEPT"
  case ${STORE_REPLY[0]} in
    person) worker::tell "needs a person: ${STORE_REPLY[1]}" ;;
    *) worker::tell "${STORE_REPLY[0]}: its job was lost: $why" ;;
  esac
  NEXT=''
}

# --- stages -----------------------------------------------------------------------------------------------------

# The workspace is the branch as it is now.
worker::prepare() {
  git::head BASE
  worker::workspace prepare "$BASE"
  ((STATUS != 0)) || return 0
  store::ask released "the workspace cannot be prepared"
  die "$EX_CANNOT_WRITE" "the workspace $WORKSPACE cannot be prepared (exit $STATUS)" \
    "${WORKSPACE_WHY:-see the space left on its disk}"
}

stage::prepare() {
  worker::prepare
  worker::furnish
  [[ -z $LIMITS_LOST ]] || return 0
  worker::owns
  store::ask base "$BASE"
  BASE_TREE=${STORE_REPLY[0]} BASE_OF_TREE=$BASE
  NEXT=work
}

# What fails here fails for every task: a person has to see to it.
worker::furnish() {
  local log=$ORKESTRA_PROJECT/logs/execution/setup-${WORKSPACE##*/}.log seconds
  [[ -s $ORKESTRA_RUNTIME/setup ]] || return 0
  seconds=$(<"$ORKESTRA_RUNTIME/baseline-timeout")
  furnish::run STATUS "$WORKSPACE" "$BASE" "$ORKESTRA_RUNTIME/setup" "$log" "$seconds"
  [[ -z $PROCESS_STOPPING ]] || worker::leave
  ((STATUS != 0)) || return 0
  if [[ -n $LIMITS_LOST ]]; then
    worker::lost "$LIMITS_BEGUN" "$LIMITS_LOST"
    return
  fi
  store::ask released "the setup of the workspace $FURNISH_SAID"
  die "$EX_CONFIG" "the setup of a workspace $FURNISH_SAID: see $log" \
    'mend "setup" in config/project.json, or what it needs, then start again'
}

# Work that was kept (it waited for a person, or for its turn) is brought onto the branch as it is now.
stage::resume() {
  local base tree
  base=$(git::project rev-parse --verify "$FROM^1")
  tree=$(git::project rev-parse --verify "$FROM^{tree}")
  stage::prepare
  [[ -z $LIMITS_LOST ]] || return 0
  worker::merge "$base" "$tree" "$BASE"
  [[ -z $MERGED ]] || NEXT=measure
}

# Kept work that a person wants the agent to go on from is in the workspace when it begins; where that does not go with
# the branch any more the agent is told so, and gets it as a patch.
stage::from() {
  local base tree
  if [[ -z $FROM ]]; then
    worker::fail "not started: the attempt that it is to begin from is not kept here"
    return
  fi
  base=$(git::project rev-parse --verify "$FROM^1")
  tree=$(git::project rev-parse --verify "$FROM^{tree}")
  stage::prepare
  [[ -z $LIMITS_LOST ]] || return 0
  worker::workspace merge "$base" "$tree" "$BASE"
  ((STATUS == 0)) || store::ask unmergeable "$RESULT"
}

# The validators, before and after a task: WRONG gets what they found, nothing where all is well.
WRONG=''
worker::validate() {
  validate::run "$1" "$WORKSPACE" "$TICKET" "$ATTEMPT" "$BASE"
  WRONG=${VALIDATE_FOUND%$'\n'}
}

# Without a sandbox: whoever has written the framework, the settings or another project meanwhile has ended the run, too.
# What an agent could do there it may have done elsewhere, where nobody looks.
worker::look_around() {
  local found
  validate::run after "$WORKSPACE" "$TICKET" "$ATTEMPT" "$BASE" framework
  [[ -n $VALIDATE_FOUND ]] || return 0
  found=${VALIDATE_FOUND%$'\n'}
  found=${found//$'\n'/; }
  worker::fail "refused: $found"
  worker::end_turn
  redact::folder "$ATTEMPT"
  die "$EX_CONFIG" "this run ends: there is no sandbox, and while $TASK was done somebody wrote what no task may: $found" \
    "if that was not you, this machine is not to be trusted any more: look at what is named, and give agents a sandbox (orkestra doctor)"
}

stage::work() {
  worker::validate before
  if [[ -n $WRONG ]]; then
    worker::fail "not started: $WRONG"
    return
  fi
  worker::step_result "$ORKESTRA_SCRIPTS/AGENTS/spawn.sh" work "$WORKSPACE" "$TICKET" "$ATTEMPT"
  if ((STATUS == EX_LOST)); then
    worker::lost "${RESULT%%$'\t'*}" "${RESULT#*$'\t'}"
    return
  fi
  clock::passed NOW
  worker::look_around
  store::ask worked "$STATUS" "$((NOW - STARTED))" "$WORKSPACE/exchange" "$RESULT"
  local verdict=("${STORE_REPLY[@]}")
  worker::take
  case ${verdict[0]} in
    done)
      if ((STATUS == 0)); then
        NEXT=taken
      elif ((STATUS == EX_WITHHELD)); then
        store::ask gated "$EX_FAILED"
        worker::fail "${STORE_REPLY[1]}"
      else
        worker::fail "$WORKSPACE_WHY"
      fi
      ;;
    failed) worker::fail "${verdict[1]}" ;;
    afresh)
      worker::tell 'its session cannot be gone on with: it begins afresh'
      TREE='' OWN=-
      NEXT=work
      ;;
    *) # limited, unavailable: not an attempt; the store has put the task back
      worker::let_go
      worker::tell "waits: ${verdict[2]:-${verdict[1]}}"
      NEXT=''
      ;;
  esac
}

# Before the workspace goes to another task: what is in it and did not land is kept.
worker::let_go() {
  [[ -s $WORKSPACE/owner ]] || return 0
  if [[ -z $TREE ]]; then
    worker::keep_workspace
    return
  fi
  worker::base_tree
  if [[ $TREE != "$BASE_TREE" || $OWN != - ]]; then
    worker::keep
  else
    worker::settle "$TASK" "$TRY" nothing
    worker::disowns
  fi
}

stage::taken() {
  worker::validate after
  if [[ -n $WRONG ]]; then
    worker::fail "refused: $WRONG"
    return
  fi
  worker::base_tree
  local changed=1
  [[ $TREE != "$BASE_TREE" ]] || changed=0
  store::ask taken "$TREE" "$changed"
  case ${STORE_REPLY[0]} in
    changed)
      NEXT=measure
      [[ ${STORE_REPLY[1]:-} != quick ]] || NEXT=turn
      ;;
    empty-allowed) NEXT=check_empty ;;
    *) worker::fail "${STORE_REPLY[1]}" ;;
  esac
}

# What is judged in a moment is judged in its turn to land: nothing lands meanwhile, and nothing is judged twice.
stage::turn() {
  local head
  worker::take_turn
  git::head head
  if [[ $head != "$BASE" ]]; then
    worker::bring_onto "$head"
    [[ -n $MERGED ]] || return 0
  fi
  NEXT=measure
}

stage::measure() {
  worker::workspace measure "$ATTEMPT" "$BASE" "$TREE"
  read -r FILES PATCH_ID <<<"$RESULT"
  NEXT=check
}

# The check on the tree in the workspace; CHECK_STATUS is its exit status, CHECK_SAID how it ended, in words. Where
# LIMITS_LOST is not empty nothing is known, and the task is no longer in our hands.
CHECK_STATUS=0 CHECK_SAID=''
worker::check() {
  local seconds
  IFS= read -r seconds <"$TICKET/check-timeout" || : # it ends without a newline
  clock::passed STARTED
  check::run CHECK_STATUS "$WORKSPACE" "$TICKET/check" "$ATTEMPT/check.log" "$seconds"
  [[ -z $PROCESS_STOPPING ]] || worker::leave
  if [[ -n $LIMITS_LOST ]]; then
    worker::lost "$LIMITS_BEGUN" "$LIMITS_LOST"
    return
  fi
  worker::look_around
  CHECK_SAID="the check ${CHECK_ENDED:-failed (exit $CHECK_STATUS)}"
  clock::passed NOW
  store::ask checked "$CHECK_STATUS" "$((NOW - STARTED))" "$TREE"
}

stage::check() {
  worker::check
  [[ -z $LIMITS_LOST ]] || return 0
  if ((CHECK_STATUS == 0)); then NEXT=gates; else worker::fail "$CHECK_SAID"; fi
}

stage::check_empty() {
  worker::check
  [[ -z $LIMITS_LOST ]] || return 0
  if ((CHECK_STATUS != 0)); then
    worker::fail "$CHECK_SAID"
    return
  fi
  worker::disowns
  store::ask settled
  worker::tell 'done: nothing had to change'
  NEXT=''
}

worker::run_gates() {
  export GIT_DIR=$WORKSPACE/git GIT_OBJECT_DIRECTORY=$ORKESTRA_GIT_DIR/objects
  gates::run "$ATTEMPT" "$BASE" "$TREE" "$TICKET"
}

# The gates on the change from BASE to TREE; GATED gets the store's answer.
GATED=()
worker::gates() {
  worker::here worker::run_gates
  store::ask gated "$STATUS"
  GATED=("${STORE_REPLY[@]}")
}

# Ends the attempt as the gates said; one that they pass goes on to the stage $1.
worker::as_gated() {
  case ${GATED[0]} in
    pass) NEXT=$1 ;;
    person)
      worker::let_go
      worker::tell "needs a person: ${GATED[1]}"
      NEXT=''
      ;;
    *) worker::fail "${GATED[1]}" ;;
  esac
}

stage::gates() {
  local next=vote
  [[ $MODE != candidate ]] || next=candidate
  worker::gates
  worker::as_gated "$next"
}

# It has passed: the programs say what they make of it while it is here, and it waits for the others.
stage::candidate() {
  [[ -z ${GATED[1]} ]] || worker::hold_vote "${GATED[1]}" "$TREE"
  worker::keep
  store::ask candidate "$KEPT" "$BASE" "$TREE" "$PATCH_ID"
  worker::tell "has passed: ${STORE_REPLY[0]} of ${STORE_REPLY[1]} candidates are made"
  NEXT=''
}

# Nothing is in the workspace but the branch as it is: its reviewers rank what was kept.
stage::choose() {
  stage::prepare
  [[ -z $LIMITS_LOST ]] || return 0
  TREE=$BASE_TREE PATCH_ID=-
  NEXT=vote
}

# worker::hold_vote FOLDER TREE: where programs alone vote, no further shell is started.
worker::hold_vote() {
  vote::read "$1"
  if ((${#VOTE_AGENTS[@]} > 0)); then
    worker::step "$ORKESTRA_SCRIPTS/COMMITTEE/hold-vote.sh" "$1" "$ATTEMPT" "$WORKSPACE" "$BASE" "$2"
  else
    vote::ask_programs "$1" "$ATTEMPT" "$WORKSPACE"
    [[ -z $PROCESS_STOPPING ]] || worker::leave
  fi
}

stage::vote() {
  local vote folder tree=$TREE
  store::ask vote-open "$BASE" "$TREE" "$PATCH_ID"
  if [[ ${STORE_REPLY[0]} == vote ]]; then
    vote=${STORE_REPLY[1]} folder=${STORE_REPLY[2]}
    STORE_REPLY=(more)
  fi
  # More than once where somebody stands in for a reviewer, or a second one is asked. Where a person has voted already, or
  # nobody may now, not at all. What was approved may be judged once more as a copy with a planted defect.
  while [[ ${STORE_REPLY[0]} == more || ${STORE_REPLY[0]} == calibrate ]]; do
    if [[ ${STORE_REPLY[0]} == calibrate ]]; then
      vote=${STORE_REPLY[1]} folder=${STORE_REPLY[2]} tree=${STORE_REPLY[3]}
      worker::keep # the copy takes its place in the workspace, and is nobody's work
    fi
    worker::hold_vote "$folder" "$tree"
    worker::look_around
    store::ask vote-close "$vote"
  done
  [[ $tree == "$TREE" ]] || worker::bring_back
  case ${STORE_REPLY[0]} in
    stands | approve) NEXT=land ;;
    chosen) worker::chosen "${STORE_REPLY[@]:1:3}" ;;
    revise) worker::revise "${STORE_REPLY[1]}" "${STORE_REPLY[2]}" ;;
    waits) worker::put_off "${STORE_REPLY[1]}" ;;
    person)
      worker::let_go
      worker::tell "needs a person: ${STORE_REPLY[1]}"
      NEXT=''
      ;;
    *) worker::fail "${STORE_REPLY[1]}" ;;
  esac
}

# After a copy of it was judged the work is in the workspace again, and need not be kept elsewhere.
worker::bring_back() {
  worker::workspace show "$TREE"
  ((STATUS == 0)) || die "$EX_INTERNAL" "the change of $TASK cannot be brought back: $WORKSPACE_WHY" "start again: the work is kept"
  worker::owns
  git::own_ref "refs/orkestra/attempts/$TASK/$TRY"
}

# A question, put to its members in rounds; what they look at is the branch as it is.
stage::ask() {
  local vote folder
  worker::prepare
  worker::base_tree
  TREE=$BASE_TREE
  store::ask ask-open "$BASE" "$TREE"
  if [[ ${STORE_REPLY[0]} == vote ]]; then
    vote=${STORE_REPLY[1]} folder=${STORE_REPLY[2]}
    STORE_REPLY=(more)
  fi
  while [[ ${STORE_REPLY[0]} == more ]]; do
    worker::hold_vote "$folder" "$TREE"
    worker::look_around
    store::ask ask-close "$vote"
  done
  case ${STORE_REPLY[0]} in
    answered | assigned | failed) worker::tell "${STORE_REPLY[0]}: ${STORE_REPLY[1]}" ;;
    waits) worker::tell "waits ${STORE_REPLY[1]}" ;;
    *) worker::tell "needs a person: ${STORE_REPLY[1]}" ;;
  esac
  NEXT=''
}

# worker::chosen AGENT COMMIT TRY: the committee wants this candidate, which goes on like other kept work.
worker::chosen() {
  AGENT=$1 FROM=$2
  worker::tell "attempt $3, by $1, is chosen"
  worker::disowns
  TREE='' PATCH_ID='' MODE=resume
  NEXT=resume
}

# Its reviewers are limited: the work is kept, and others go on.
worker::put_off() {
  local why=$1
  worker::end_turn
  KEPT=''
  if [[ $MODE == choose ]]; then worker::disowns; else worker::keep; fi
  store::ask put-off "$KEPT"
  worker::tell "waits $why"
  NEXT=''
}

# The reviewers sent it back, once, with reasons: the same task goes on as another try.
worker::revise() {
  local try=$1 mode=$2
  worker::end_turn
  worker::tell 'sent back by the reviewers, with reasons'
  worker::keep
  redact::folder "$ATTEMPT"
  # What is kept is not what the next try leaves.
  TRY=$try TREE='' FILES=0 PATCH_ID='' OWN=-
  ATTEMPT=$ORKESTRA_PROJECT/logs/execution/attempts/$TASK/$TRY
  NEXT=$BEGIN
  if [[ $mode == tree ]]; then
    worker::owns
    NEXT=work
  fi
}

# --- landing ----------------------------------------------------------------------------------------------------

# One landing at a time: whoever holds this lock has the branch to itself, as far as this framework goes.
worker::take_turn() {
  [[ -z $LANDING_FD ]] || return 0
  exec {LANDING_FD}>>"$ORKESTRA_GIT_DIR/orkestra/landing.lock"
  flock "$LANDING_FD"
}

worker::end_turn() {
  [[ -z $LANDING_FD ]] || exec {LANDING_FD}>&-
  LANDING_FD=''
}

stage::land() {
  local head
  worker::take_turn
  git::head head
  if [[ $head == "$BASE" ]]; then worker::land "$head"; else worker::rebase "$head"; fi
}

# Something landed meanwhile: the change is brought onto HEAD and judged there again. The turn is kept all the while, so
# that what has been checked is what lands.
worker::rebase() {
  local head=$1 voted=$PATCH_ID
  NEXT=''
  worker::bring_onto "$head"
  [[ -n $MERGED ]] || return 0
  stage::measure
  worker::check
  [[ -z $LIMITS_LOST ]] || return 0
  if ((CHECK_STATUS != 0)); then
    worker::conflict "on top of what landed meanwhile $CHECK_SAID"
    return
  fi
  worker::gates
  worker::as_gated land
  [[ $NEXT == land ]] || return 0
  if [[ $PATCH_ID != "$voted" ]]; then
    # Not the same change any more: the reviewers are asked again, and others may land while they think.
    worker::end_turn
    NEXT=vote
    return
  fi
  store::ask vote-open "$BASE" "$TREE" "$PATCH_ID"
  [[ ${STORE_REPLY[0]} == stands ]] || die "$EX_INTERNAL" "the store opened a second vote on the same change"
  worker::land "$head"
}

# What was made on BASE is on HEAD from here on. MERGED as below.
worker::bring_onto() {
  worker::merge "$BASE" "$TREE" "$1"
  NEXT=''
  [[ -n $MERGED ]] || return 0
  BASE=$1
  worker::owns
}

# worker::merge BASE TREE HEAD: TREE becomes the merge. MERGED is empty after a conflict, of which the store then knows.
MERGED=''
worker::merge() {
  MERGED=''
  worker::workspace merge "$1" "$2" "$3"
  case $STATUS in
    0) TREE=$RESULT MERGED=1 ;;
    1) worker::conflict "in conflict with what landed meanwhile: ${RESULT//$'\n'/, }" ;;
    *) die "$EX_INTERNAL" "the change of $TASK cannot be merged (exit $STATUS)" \
      "see the end of $ORKESTRA_LOGS/orchestrator.log, then start again: the work is kept" ;;
  esac
}

# What landed meanwhile does not go with this: the work is kept, and the task is done again on the new base.
worker::conflict() {
  worker::end_turn
  worker::let_go
  store::ask conflict "$1"
  if [[ ${STORE_REPLY[0]} == person ]]; then worker::tell "needs a person: $1"; else worker::tell "again: $1"; fi
  NEXT=''
}

# worker::sign VAR PARENT TREE MESSAGE-FILE: VAR gets the signed commit.
worker::sign() {
  worker::here land::commit "${@:2}"
  ((STATUS == 0)) || exit "$STATUS" # it has said why
  printf -v "$1" '%s' "$RESULT"
}

# The change, its record, and the one move of the branch over both.
worker::land() {
  local head=$1 outcome way change=- new status
  worker::shield
  store::ask draw
  outcome=${STORE_REPLY[0]}
  [[ $outcome != dropped ]] || worker::dropped
  way=${STORE_REPLY[2]}
  if [[ ${STORE_REPLY[3]} != "$head" ]]; then # a person's commit, just now
    worker::again
    return
  fi
  # Where the user signs we make both commits, else the store does.
  if [[ -n ${STORE_REPLY[1]} ]]; then worker::sign change "$head" "$TREE" "${STORE_REPLY[1]}"; fi
  store::ask record "$outcome" "$change" "$BASE" "$TREE" "$PATCH_ID" "$FILES"
  new=${STORE_REPLY[1]}
  if [[ ${STORE_REPLY[0]} == tree ]]; then worker::sign new "$change" "${STORE_REPLY[@]:1:2}"; fi
  if [[ $way == pr ]]; then
    worker::propose "$outcome" "$new"
    return
  fi
  worker::here land::move "$head" "$new"
  status=$STATUS new=$RESULT
  case $status in
    0)
      worker::disowns
      printf '%s\n' "$TASK" >"$WORKSPACE/warm"
      store::ask landed "$outcome" "$new"
      worker::end_turn
      [[ $OWN == - ]] || worker::keep
      if ((FILES == 1)); then worker::tell "landed as $outcome, 1 file"; else worker::tell "landed as $outcome, $FILES files"; fi
      NEXT=''
      ;;
    20) worker::again ;; # the branch moved between the look and the swap: a person's commit
    21) worker::hold "$new" ;;
    "$EX_CANNOT_WRITE") exit "$status" ;; # it has said why
    *) die "$EX_CANNOT_WRITE" "the landing of $TASK was interrupted (exit $status)" \
      "start again: it is finished then, or taken back and done again" ;;
  esac
  worker::listen
}

worker::again() {
  worker::end_turn
  NEXT=land
  worker::listen
}

# worker::propose OUTCOME COMMIT: not the branch gets it, but a pull request, which the courier opens.
worker::propose() {
  git::own_ref "refs/orkestra/proposals/$1" "$2"
  store::ask proposed "$1" "$2"
  rm -f -- "$WORKSPACE/owner"
  worker::end_turn
  [[ $OWN == - ]] || worker::keep
  worker::tell "accepted as $1; waits for its pull request"
  NEXT=''
  worker::listen
}

# A person is editing what this change touches: it waits, and others go on.
worker::hold() {
  local paths=$1
  worker::end_turn
  worker::keep
  store::ask held "$KEPT" "$paths"
  worker::tell "waits: it changes ${paths//$'\n'/, }, where there are edits that are not committed"
  NEXT=''
}

# --- life -------------------------------------------------------------------------------------------------------

FROM='' BEGIN=prepare MODE=''
worker::do_task() {
  TASK=$1 TRY=$2 AGENT=$3 MODE=$4 FROM=$5
  ATTEMPT=$ORKESTRA_PROJECT/logs/execution/attempts/$TASK/$TRY
  BASE='' TREE='' FILES=0 PATCH_ID='' OWN=- LIMITS_LOST=''
  BEGIN=prepare
  [[ $MODE != from ]] || BEGIN=from
  NEXT=$BEGIN
  case $MODE in
    resume | choose | ask) NEXT=$MODE ;;
    *) worker::tell "given to $AGENT" ;;
  esac
  while [[ -n $NEXT ]]; do
    [[ -z $PROCESS_STOPPING ]] || worker::leave
    worker::show_stage "$NEXT"
    "stage::$NEXT"
  done
  worker::end_turn
  redact::folder "$ATTEMPT"
}

main() {
  (($# == 1)) || die "$EX_USAGE" "worker.sh takes one argument, its number" "see the head of $0"
  error::need_number "$1" 'the number of a worker'
  error::need_variables ORKESTRA_WORKSPACES ORKESTRA_RUNTIME ORKESTRA_RUN ORKESTRA_PROJECT ORKESTRA_GIT_DIR ORKESTRA_BRANCH
  WORKSPACE=$ORKESTRA_WORKSPACES/w$1
  TICKET=$ORKESTRA_RUNTIME/w$1
  export ORKESTRA_BINDS=$TICKET/binds # for the check: folders that the project shares
  mkdir -p -- "$WORKSPACE" 2>/dev/null || die "$EX_CANNOT_WRITE" "cannot write $WORKSPACE" \
    "see its owner and rights, and that nothing else is in its place"
  worker::listen
  # Handed down to our children, though never into a sandbox: what a killed worker had begun in this workspace ends
  # before the next one touches it.
  exec 6>>"$WORKSPACE/lock"
  flock 6
  rootfs::load # once: every sandbox of this worker has it
  # What a killed one has left of its agent may be alive without a sandbox.
  leftovers::end "$WORKSPACE" now
  trap limits::close EXIT
  limits::share
  # shellcheck disable=SC2034  # for store.bash
  STORE_ON_LOST=worker::store_lost
  store::connect "w$1"
  launcher::fence "$WORKSPACE"
  worker::keep_workspace
  keeper::end # it may not know yet what the project shares
  workspace::apart "$WORKSPACE"
  [[ ! -e $TICKET/now ]] || rm -f -- "$TICKET/now" # of a predecessor that was killed
  while [[ -z $PROCESS_STOPPING ]]; do
    store::ask claim
    [[ ${STORE_REPLY[0]} == task ]] || break
    worker::do_task "${STORE_REPLY[@]:1}"
  done
  [[ -z $PROCESS_STOPPING ]] || exit 143
}

main "$@"
