#!/usr/bin/env bats
# SCRIPTS/SAFETY/redact.sh: literal values of known keys leave files.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  export ORKESTRA_SECRETS_FILE=$PLACE/secrets
  know 'sesame-open-1' 'sesame-open-1-and-longer' 'a.b*c[d]/e\f&g^$' 'short'
}

redact() { "$SCRIPTS/SAFETY/redact.sh" "$@"; }

@test "each known value is replaced, the longest first, whatever characters it has" {
  printf 'x sesame-open-1-and-longer y\nsesame-open-1sesame-open-1\n%s\naxbbbc short\n' 'a.b*c[d]/e\f&g^$' >"$PLACE/-log 1"
  run redact "$PLACE/-log 1"
  assert_status 0
  assert_file "$PLACE/-log 1" $'x [redacted] y\n[redacted][redacted]\n[redacted]\naxbbbc short'
}

@test "a file without a key is not written, one with a key keeps its mode" {
  echo nothing >"$PLACE/a"
  echo 'sesame-open-1' >"$PLACE/b"
  chmod 640 "$PLACE/b"
  local before
  before=$(stat -c '%i %Y %Z' "$PLACE/a")
  redact "$PLACE/a" "$PLACE/b"
  assert_equal "$(stat -c '%i %Y %Z' "$PLACE/a")" "$before"
  assert_file "$PLACE/b" '[redacted]'
  assert_equal "$(stat -c %a "$PLACE/b")" 640
  run find "$PLACE" -name '*redacted*'
  assert_equal "$output" ''
}

@test "encoded, it goes too; and in the middle of a line longer than any buffer" {
  {
    head -c 3000000 /dev/zero | tr '\0' x
    printf 'sesame-open-1'
    head -c 3000000 /dev/zero | tr '\0' x
    printf '\n%s\n' "$(printf 'user:sesame-open-1' | base64)" "$(printf sesame-open-1 | rev)" 'a.b*c[d]\/e\\f&g^$'
  } >"$PLACE/a"
  redact "$PLACE/a"
  run grep -caF '[redacted]' "$PLACE/a"
  assert_equal "$output" 4
  run grep -aF -f "$ORKESTRA_SECRETS_FILE.forms" "$PLACE/a"
  assert_status 1
}

@test "other bytes stay as they are" {
  printf 'a\0\xff\xfe sesame-open-1 \r\nno newline' >"$PLACE/bin"
  redact "$PLACE/bin"
  printf 'a\0\xff\xfe [redacted] \r\nno newline' | cmp - "$PLACE/bin"
}

@test "no known keys, no file, no argument" {
  run redact "$PLACE/missing"
  assert_status 65
  run redact
  assert_status 64
  : >"$ORKESTRA_SECRETS_FILE"
  echo sesame-open-1 >"$PLACE/a"
  redact "$PLACE/a"
  assert_file "$PLACE/a" sesame-open-1
}
