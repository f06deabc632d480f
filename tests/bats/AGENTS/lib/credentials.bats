#!/usr/bin/env bats
# AGENTS/lib/credentials.bash: what is copied out of the HOME of an agent that still works.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  HOME_OF="$PLACE/its home" TOKEN="$PLACE/another login"
  mkdir -p -- "$HOME_OF/.tool" "$PLACE/keep"
  echo '{"token": "of another account"}' >"$TOKEN"
}

# copies TARGET: as between two looks, when whatever was looked at is something else now.
copies() {
  run timeout 20 bash -c '
    source "$0/CORE/lib/boot.bash"
    use AGENTS/credentials
    if credentials::_copy "$1" "$2" "$3"; then echo copied; else echo refused; fi' \
    "$SCRIPTS" "$HOME_OF" "$1" "$PLACE/keep/0.new"
}

@test "a login that was refreshed is copied" {
  echo '{"token": "new"}' >"$HOME_OF/.tool/login.json"
  copies .tool/login.json
  assert_equal "$output" copied
  cmp -- "$HOME_OF/.tool/login.json" "$PLACE/keep/0.new"
}

@test "a link in its place is not followed" {
  ln -s "$TOKEN" "$HOME_OF/.tool/login.json"
  copies .tool/login.json
  assert_equal "$output" refused
  run ! grep -r another "$PLACE/keep"
}

@test "nor one in the place of its folder" {
  rm -r -- "$HOME_OF/.tool"
  mkdir -- "$PLACE/elsewhere"
  cp -- "$TOKEN" "$PLACE/elsewhere/login.json"
  ln -s "$PLACE/elsewhere" "$HOME_OF/.tool"
  copies .tool/login.json
  assert_equal "$output" refused
  run ! grep -r another "$PLACE/keep"
}

@test "a pipe is not waited for, and what is too large is none" {
  mkfifo "$HOME_OF/.tool/login.json"
  copies .tool/login.json
  assert_equal "$output" refused
  rm -- "$HOME_OF/.tool/login.json"
  head -c 300000 /dev/zero >"$HOME_OF/.tool/login.json"
  copies .tool/login.json
  assert_equal "$output" refused
}
