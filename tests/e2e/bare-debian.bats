#!/usr/bin/env bats
# The first command of the README on a machine that has nothing but Debian's minimum, git and CA certificates.

bats_require_minimum_version 1.5.0
load ../bats/helpers/common

setup_file() {
  # What a stranger types, and then what must hold. Each check says its own line; the tests below read them.
  cat >"$BATS_FILE_TMPDIR/stranger" <<'SCRIPT'
bin/orkestra demo </dev/null
echo "demo exit $?"
bin/orkestra verify --project demo-website </dev/null
echo "verify exit $?"
.venv/bin/python tests/e2e/check_demo.py PROJECTS/demo-website
echo "records exit $?"
echo "status [$(git status --porcelain)]"
git diff --quiet HEAD --
echo "tracked exit $?"
SCRIPT
  # The status is kept, not judged, here: a failing setup_file would hide which promise broke.
  "$FRAMEWORK/tests/e2e/bare-debian.sh" "$BATS_FILE_TMPDIR/stranger" >"$BATS_FILE_TMPDIR/output" 2>&1 3>&- && echo 0 >"$BATS_FILE_TMPDIR/status" \
    || echo "$?" >"$BATS_FILE_TMPDIR/status"
}

setup() {
  status=$(<"$BATS_FILE_TMPDIR/status")
  output=$(tail -n 60 -- "$BATS_FILE_TMPDIR/output")
  [[ $status != 69 ]] || skip "$(tail -n 1 -- "$BATS_FILE_TMPDIR/output")"
}

@test "the demo prepares a bare machine and runs to its end" {
  assert_output_has 'demo exit 0'
}

@test "every task of the demo has landed once, with its records, and verify agrees" {
  assert_output_has 'records exit 0'
  assert_output_has 'verify exit 0'
}

@test "the framework's clone is as it was" {
  assert_output_has 'status []'
  assert_output_has 'tracked exit 0'
}
