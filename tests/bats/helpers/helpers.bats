#!/usr/bin/env bats
# The helpers themselves: that an assertion can fail, and that a latch makes both sides wait.

bats_require_minimum_version 1.5.0
load common

setup() { setup_place; }

@test "the test's folder is hostile, its HOME empty, and nothing of the caller's is left" {
  [[ $PWD == *"it's a plâce \$HOME 日本" ]]
  assert_equal "$(ls -A -- "$HOME")" ''
  assert_equal "$(git config --list --show-scope | grep -c -E '^(global|system)' || printf '')" 0
  assert_equal "${ORKESTRA_PROJECT-unset}" unset
}

@test "every assertion fails when it should" {
  printf 'one line\n' >file
  run printf 'some output'
  local call
  for call in 'assert_status 3' 'assert_equal a b' 'assert_output_has other' 'assert_output_lacks some' \
    'assert_matches abc ^b' 'assert_exists nowhere' 'assert_missing file' 'assert_file file other' \
    'assert_file_has file other' 'assert_file_lacks file one'; do
    # shellcheck disable=SC2086  # split on purpose: a call and its operands
    ! $call 2>/dev/null || assert_equal "$call" 'an assertion that fails'
  done
  make_repository repository
  assert_unchanged repository
  printf 'more\n' >repository/new-file
  run -1 assert_unchanged repository
}

@test "a latch makes whoever comes first wait for the other" {
  latch_make HERE THERE
  (latch_wait "$LATCH_HERE" && printf 'went on\n' >after && latch_open "$LATCH_THERE") 3>&- &
  assert_missing after
  latch_open "$LATCH_HERE"
  latch_wait "$LATCH_THERE"
  assert_file after 'went on'
  wait "$!"
}

@test "a latch that nobody opens fails within its bound" {
  latch_make LONELY
  run -1 bash -c 'PATIENCE=0.2; source "$1"; latch_wait "$2"' helpers "$FRAMEWORK/tests/bats/helpers/latch.bash" "$LATCH_LONELY"
  assert_output_has 'nobody opened the latch'
}

@test "wait_for_line sees a line that is written later, wait_for_end the end of a process" {
  latch_make GO
  (latch_wait "$LATCH_GO" && printf 'first\nthe line 42\n' >later.log) 3>&- &
  local writer=$!
  latch_open "$LATCH_GO"
  run -0 wait_for_line later.log 'line [0-9]+'
  assert_equal "$output" 'the line 42'
  wait_for_end "$writer"
}

@test "a project made by hand is one clean repository" {
  make_project 'näme with space'
  assert_unchanged "$PROJECT"
  assert_exists "$PROJECT/config/project.json"
  run -0 "$(framework_python)" -c 'import json, sys; json.load(open(sys.argv[1]))' "$PROJECT/config/task-queue.json"
}
