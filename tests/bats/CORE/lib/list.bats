#!/usr/bin/env bats
# CORE/lib/list.bash: what a command gives, NUL by NUL, and its exit status.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() { setup_place; }

# given SCRIPT: in a process that has loaded the library.
given() {
  bash -c 'source "$0/CORE/lib/boot.bash"; use list; eval "$1"' "$SCRIPTS" "$1"
}

@test "every element, also none, an empty one, one with a newline and one that looks like the end" {
  # shellcheck disable=SC2016  # expanded over there
  run given 'list::read all printf "%s\0" a "" "x
y" "exit 3" ""; printf "<%s>" "${all[@]}"'
  assert_equal "$output" $'<a><><x\ny><exit 3><>'
  run given 'list::read all true; printf "%d" "${#all[@]}"'
  assert_equal "$output" 0
}

@test "the exit status is the command's, with what it gave until then; 137 when it was killed with its shell" {
  # shellcheck disable=SC2016  # as above
  run given 'some() { printf "a\0b\0cut"; return 3; }; list::read all some || status=$?; printf "%s " "$status" "${all[@]}"'
  assert_equal "$output" '3 a b cut '
  # shellcheck disable=SC2016  # as above
  run given 'some() { printf "a\0"; kill -KILL "$BASHPID"; }; list::read all some || status=$?; printf "%s" "$status"'
  assert_equal "$output" 137
}

@test "a failure stops a script that does not ask for it" {
  run given 'list::read all false; echo went on'
  assert_status 70
  assert_output_lacks "went on"
}
