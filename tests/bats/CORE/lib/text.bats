#!/usr/bin/env bats
# CORE/lib/text.bash: fields of a line, and what may reach a terminal.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  # shellcheck source=SCRIPTS/CORE/lib/text.bash
  source "$SCRIPTS/CORE/lib/text.bash"
}

@test "escape and unescape are each other's reverse, in one line without tabs" {
  # shellcheck disable=SC1003  # backslashes are meant
  local value escaped back values=('' 'plain' $'a\tb' $'a\nb\n' $'\r' '\' '\n' '\\t' $'\\\t\\' '&' '$(id)' '-e' $'ü\xff')
  for value in "${values[@]}"; do
    text::escape escaped "$value"
    [[ $escaped != *[$'\t\n\r']* ]]
    text::unescape back "$escaped"
    [[ $back == "$value" ]]
  done
}

@test "random bytes survive the way there and back" {
  local value escaped back at byte length hex piece LC_ALL
  RANDOM=7
  for LC_ALL in C C.UTF-8; do
    for ((at = 0; at < 1000; ++at)); do
      value='' length=$((RANDOM % 40))
      for ((byte = 0; byte < length; ++byte)); do
        printf -v hex '%02x' "$((RANDOM % 255 + 1))" # in a subshell it would be of another seed each time
        # shellcheck disable=SC2059  # the byte is made by the format
        printf -v piece "\\x$hex"
        value+=$piece
      done
      text::escape escaped "$value"
      text::unescape back "$escaped"
      [[ $back == "$value" ]]
    done
  done
}

@test "characters that break off before what is escaped" {
  local value escaped back LC_ALL=C.UTF-8
  for value in $'\xf0\t~' $'\xd8\t\x04\x82' $'\xda\n' $'a\xc5\r\x58' $'\xe2\x80\\'; do
    text::escape escaped "$value"
    text::unescape back "$escaped"
    [[ $back == "$value" ]]
  done
}

@test "nothing that moves a cursor or begins a line reaches a terminal" {
  local shown
  text::plain shown $'a\e[2Jb\nc\x07\x9bd'
  [[ $shown != *[$'\e\n\a']* ]]
  [[ $shown == a?* && $shown == *d ]]
}

@test "nor what acts so beyond ASCII, in any locale; other letters stay" {
  local shown bad LC_ALL
  for LC_ALL in C C.UTF-8; do
    for bad in $'\u0080' $'\u009b' $'\u009f' $'\u061c' $'\u200e' $'\u200f' $'\u2028' $'\u202a' $'\u202e' $'\u2066' $'\u2069'; do
      [[ ${#bad} != 6 ]] # where this locale cannot write it the test would show nothing
      text::plain shown "a${bad}b"
      assert_equal "$LC_ALL $shown" "$LC_ALL a?b"
    done
    for bad in ü â 日本 € ‐ … ⁰ Ø ؛ א; do
      text::plain shown "a${bad}b"
      assert_equal "$LC_ALL $shown" "$LC_ALL a${bad}b"
    done
  done
}
