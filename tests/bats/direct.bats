#!/usr/bin/env bats
# Every executable of SCRIPTS, called by hand: from /, with an empty environment, in a clone that was never set up. Wrong
# arguments, none, or the right ones without what a run sets: a usable word and its exit code, never a Bash line number.

bats_require_minimum_version 1.5.0
load helpers/common

setup() {
  setup_place
  CLONE=$PLACE/"a cl%ne"
  mkdir -- "$CLONE"
  cp -R -- "$SCRIPTS" "$FRAMEWORK/bin" "$FRAMEWORK/orkestra_shim" "$CLONE/"
}

# by_hand SCRIPT [ARG...]
by_hand() {
  cd / && env -i PATH=/usr/bin:/bin "$CLONE/SCRIPTS/$1" "${@:2}" </dev/null
}

# says CODES SCRIPT [ARG...]: one of the codes, and one to three lines that a person can use.
says() {
  local codes=$1 call=("${@:2}")
  run by_hand "${call[@]}"
  [[ " $codes " == *" $status "* ]] || assert::_fail "${call[*]} ended with $status instead of $codes: $output"
  [[ $output == orkestra:\ * ]] || assert::_fail "${call[*]} does not begin with its name: $output"
  ((${#lines[@]} <= 3)) || assert::_fail "${call[*]} says too much: $output"
  [[ ! $output =~ line\ [0-9]+|unbound|'should not have' ]] || assert::_fail "${call[*]} shows Bash's own words: $output"
}

@test "no arguments, an unknown word, too many words" {
  local script
  while IFS= read -r -d '' script; do
    says '64 69' "$script"
    # Of one unknown word redact.sh says that it is no file.
    says '64 65 69' "$script" --no-such-thing
    case $script in
      COMMITTEE/run-programs.sh) ;; # what is no reviewer gets a line that says so, in its table
      CORE/worker.sh | CORE/setup.sh) says 64 "$script" a b c d e f g h ;;
      *) says '64 65 69' "$script" a b c d e f g h ;;
    esac
  done < <(find "$SCRIPTS" -type f -perm -u+x -printf '%P\0')
}

@test "the right arguments without what a run sets" {
  local row call=() rows=(
    'CORE/land.sh commit a b c' 'CORE/land.sh move a b' 'CORE/land.sh recover' 'CORE/land.sh move a'
    'CORE/workspace.sh prepare a b' 'CORE/workspace.sh take a b c' 'CORE/workspace.sh measure a b c d'
    'CORE/workspace.sh merge a b c d' 'CORE/workspace.sh show a b' 'CORE/workspace.sh keep a b c d e'
    'CORE/workspace.sh keep a' 'CORE/worker.sh 1' 'CORE/tree-keeper.sh a b c d e'
    'SAFETY/check.sh a b c 1' 'SAFETY/run-gates.sh a b c d' 'SAFETY/validate.sh before --workspace a --ticket b --attempt c'
    'COMMITTEE/hold-vote.sh a b c d e' 'AGENTS/spawn.sh work a b c' 'AGENTS/spawn.sh ballot a b c d'
    'AGENTS/keep-credential.sh a b c' 'AGENTS/adapters/shell work' 'AGENTS/adapters/claude work' 'AGENTS/adapters/claude ballot')
  for row in "${rows[@]}"; do
    read -r -a call <<<"$row"
    says '64 65' "${call[@]}"
  done
}

@test "without an environment each says the one command that makes it" {
  local verb
  for verb in start once stop status 'status --since yesterday'; do
    # shellcheck disable=SC2086  # two words
    says 69 CORE/orchestrator.sh $verb
    assert_output_has "do this once: $CLONE/bin/orkestra doctor"
  done
}

@test "without an environment once, which cron calls again and again, says it once a day" {
  local said=$CLONE/CONFIG/RUNTIME/said/set-up
  says 69 CORE/orchestrator.sh once --all
  assert_output_has "do this once: $CLONE/bin/orkestra doctor"
  run by_hand CORE/orchestrator.sh once --all
  assert_status 69
  assert_equal "$output" ''
  # A terminal is always told.
  local call
  printf -v call '%q ' env -i PATH=/usr/bin:/bin "$CLONE/SCRIPTS/CORE/orchestrator.sh" once
  SHELL=/bin/bash run script --quiet --return --command "$call" /dev/null
  assert_status 69
  assert_output_has 'do this once'
  # A day later, and where the clock was ahead.
  local at
  for at in "$(($(date +%s) - 86400))" "$(($(date +%s) + 1000))" rubbish; do
    printf '%s\n' "$at" >"$said"
    says 69 CORE/orchestrator.sh once
    assert_output_has 'do this once'
  done
  # Where it cannot be kept it is said again.
  rm -r -- "$CLONE/CONFIG/RUNTIME"
  touch -- "$CLONE/CONFIG/RUNTIME"
  says 69 CORE/orchestrator.sh once
  says 69 CORE/orchestrator.sh once
}
