#!/usr/bin/env bats
# The gate `secrets` where a scanner is installed: a real detect-secrets, and a stand-in for gitleaks (a Go program that no
# Debian release has): it takes the options of gitleaks 8.19 and reports in its form.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
  make_project
  cd "$PROJECT"
  mkdir -p src
  echo one >src/a.txt
  git add --all
  git commit --quiet --message base
  BASE=$(git rev-parse HEAD)
  A=$PLACE/attempt
  mkdir -p "$A"
  : >"$PLACE/none"
  SCANNERS=${ORKESTRA_VENV:-$FRAMEWORK/.venv}/test-cache/detect-secrets/bin
  ORKESTRA_PYTHON=$(framework_python)
  export GIT_DIR=$PROJECT/.git ORKESTRA_SECRETS_FILE=$PLACE/none ORKESTRA_PYTHON
  export ORKESTRA_CHANGES=$A/changes.raw ORKESTRA_DIFF=$A/diff.patch
}

# secrets PATH-FOLDER: the gate, with that folder first on PATH.
secrets() {
  git add --all
  git diff-tree -r -z --raw "$BASE" "$(git write-tree)" >"$ORKESTRA_CHANGES"
  git diff-tree -p --full-index "$BASE" "$(git write-tree)" >"$ORKESTRA_DIFF"
  PATH=$1:$PATH run "$SCRIPTS/SAFETY/gates/secrets"
  [[ ! -e $ORKESTRA_DIFF.scan ]]
}

# gitleaks BODY: a stand-in that does BODY in the folder with the change, and is seen inside the sandbox.
gitleaks() {
  mkdir -p "$PLACE/tools/bin"
  printf '#!/bin/bash\n[[ $* == "detect --no-git --no-banner --redact --ignore-gitleaks-allow --exit-code 0 --report-format json" ]] ||\n  [[ $* == *"--report-path /dev/stdout"*"--source ." ]] || exit 126\n%s\n' "$1" >"$PLACE/tools/bin/gitleaks"
  chmod 755 "$PLACE/tools/bin/gitleaks"
}

need_detect_secrets() {
  [[ -x $SCANNERS/detect-secrets ]] || skip 'detect-secrets is not there: bin/test installs it'
}

@test "detect-secrets: what no pattern of ours knows is refused, with place and kind, whatever a comment says" {
  need_detect_secrets
  printf 'first = 1\nsecond = 2\n' >src/conf.py
  git add --all && git commit --quiet -m two && BASE=$(git rev-parse HEAD)
  printf 'first = 1\nsecond = 2\npassword = "hunter2-hunter2"  # pragma: allowlist secret\n' >src/conf.py
  secrets "$PLACE/no"
  assert_status 0
  secrets "$SCANNERS"
  assert_status 1
  assert_equal "$output" 'src/conf.py:3: looks like a secret (detect-secrets: Secret Keyword)'
}

@test "detect-secrets: what was there before, and an ordinary change, pass" {
  need_detect_secrets
  printf 'password = "hunter2-hunter2"\n' >src/conf.py
  git add --all && git commit --quiet -m two && BASE=$(git rev-parse HEAD)
  printf 'password = "hunter2-hunter2"\nport = 80\n' >src/conf.py
  printf 'words\n' >'src/odd "name"'
  secrets "$SCANNERS"
  assert_status 0
}

@test "gitleaks (a stand-in): its findings are the gate's, without the value; it sees the change alone" {
  gitleaks 'ls -d * >&2; grep -rl two . >/dev/null && { ! ls /proc/self/fd/9 && ! ls '"${PROJECT@Q}"'; } >/dev/null 2>&1 \
    && printf "%s" "[{\"RuleID\":\"a-rule\",\"StartLine\":2,\"File\":\"1/new.txt\",\"Secret\":\"two\"}]"'
  printf 'one\ntwo\n' >src/new.txt
  secrets "$PLACE/tools/bin"
  assert_status 1
  assert_equal "$output" 'src/new.txt:2: looks like a secret (gitleaks: a-rule)'
  gitleaks 'echo "[]"'
  secrets "$PLACE/tools/bin"
  assert_status 0
}

@test "a scanner that breaks, or talks nonsense, is a refusal" {
  printf 'one\ntwo\n' >src/new.txt
  local body
  for body in 'exit 3' 'echo nonsense' 'echo "[{}]"' 'echo "[{\"RuleID\":\"r\",\"StartLine\":1,\"File\":\"../../etc/passwd\"}]"'; do
    gitleaks "$body"
    secrets "$PLACE/tools/bin"
    assert_status 1
    assert_output_has 'gitleaks gave no answer'
  done
}
