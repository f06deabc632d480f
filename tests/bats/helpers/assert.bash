# shellcheck shell=bash
# Assertions that say what they saw. Those without an operand look at `status` and `output` of bats' `run`.

# assert::_fail LINE...: prints the lines and what the last `run` gave; false.
assert::_fail() {
  printf '%s\n' "$@" >&2
  [[ -z ${status+set} ]] || printf -- '-- status %s, output:\n%s\n--\n' "$status" "${output-}" >&2
  return 1
}

assert_status() {
  # shellcheck disable=SC2154  # bats sets it
  [[ $status == "$1" ]] || assert::_fail "exit status is $status, not $1"
}

assert_equal() {
  [[ $1 == "$2" ]] || assert::_fail "got:      $1" "expected: $2"
}

assert_output_has() {
  # shellcheck disable=SC2154  # bats sets it
  [[ $output == *"$1"* ]] || assert::_fail "the output lacks: $1"
}

assert_output_lacks() {
  [[ $output != *"$1"* ]] || assert::_fail "the output has: $1"
}

assert_matches() {
  [[ $1 =~ $2 ]] || assert::_fail "got: $1" "it does not match: $2"
}

assert_exists() {
  local path
  for path in "$@"; do
    [[ -e $path || -L $path ]] || assert::_fail "missing: $path" || return 1
  done
}

assert_missing() {
  local path
  for path in "$@"; do
    [[ ! -e $path && ! -L $path ]] || assert::_fail "should not be there: $path" || return 1
  done
}

# assert_file FILE TEXT: the file's content is TEXT, but for newlines at the end.
assert_file() {
  assert_exists "$1" || return 1
  assert_equal "$(<"$1")" "$2"
}

# assert_file_has FILE TEXT / assert_file_lacks FILE TEXT
assert_file_has() {
  grep -qF -- "$2" "$1" || assert::_fail "$1 lacks: $2" "$(head -c 2000 -- "$1")"
}

assert_file_lacks() {
  assert_exists "$1" || return 1
  ! grep -qF -- "$2" "$1" || assert::_fail "$1 has: $2"
}

# assert_unchanged REPOSITORY: nothing modified, nothing new that Git would show.
assert_unchanged() {
  local seen
  seen=$(git -C "$1" status --porcelain) || return 1
  assert_equal "$seen" ''
}
