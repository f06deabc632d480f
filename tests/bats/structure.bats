#!/usr/bin/env bats
# Rules that no linter can state (tests/helpers/structure.py --list): each holds for the checkout, and each is seen red
# here on a file that breaks it, and green again once the line is allowed with a reason.

bats_require_minimum_version 1.5.0
load helpers/common

setup() {
  setup_place
  mkdir -p bad/SCRIPTS/{CORE,SAFETY,AGENTS,COMMITTEE}/lib bad/SCRIPTS/SAFETY/gates
}

structure() {
  "$(framework_python)" "$FRAMEWORK/tests/helpers/structure.py" "$@"
}

holds() {
  run structure "$1"
  assert_status 0
}

# write PATH MODE: stdin becomes a file of the bad tree.
write() {
  cat >"bad/$1"
  chmod "$2" "bad/$1"
}

# breaks RULE PATH:LINE...: the rule finds exactly these places in the bad tree.
breaks() {
  local rule=$1 place
  shift
  run structure --root bad "$rule"
  assert_status 1
  for place in "$@"; do
    assert_output_has "$place:"
  done
  assert_equal "${#lines[@]}" "$#"
}

# allowed RULE: nothing is found any more.
allowed() {
  run structure --root bad "$1"
  assert_status 0
}

@test "commands are executable, have a header, end with main" {
  printf '#!/usr/bin/env bash\n# Summary: x\n# Usage: x\n# Exit: 0\nmain() { :; }\nmain "$@"\n' | write SCRIPTS/CORE/good.sh 755
  allowed command-form
  printf '#!/usr/bin/env bash\n# Usage: x\n# Exit: 0\nmain "$@"\n' | write SCRIPTS/CORE/no-summary.sh 755
  printf '#!/usr/bin/env bash\n# Summary: x\n# Usage: x\n# Exit: 0\nmain "$@"\n' | write SCRIPTS/CORE/not-executable.sh 644
  printf '#!/usr/bin/env bash\n# Summary: x\n# Usage: x\n# Exit: 0\nmain "$@"\nexit 0\n' | write SCRIPTS/CORE/no-main.sh 755
  printf '#!/usr/bin/env bash\n# Summary: a gate needs no usage of its own\nmain "$@"\n' | write SCRIPTS/SAFETY/gates/scope 755
  breaks command-form SCRIPTS/CORE/no-summary.sh:1 SCRIPTS/CORE/not-executable.sh:1 SCRIPTS/CORE/no-main.sh:6
  holds command-form
}

@test "libraries are not executable and only define" {
  write SCRIPTS/CORE/lib/good.bash 644 <<'BASH'
# shellcheck shell=bash
use log
readonly GOOD_TABLE='a
b'
declare -gA GOOD=()
good::do() {
  printf 'x\n'
}
BASH
  allowed library-form
  printf 'good::do() {\n  :\n}\n' | write SCRIPTS/CORE/lib/executable.bash 755
  printf 'mkdir -p /tmp/x\nbad::do() {\n  :\n}\nbad::do\n' | write SCRIPTS/CORE/lib/acts.bash 644
  breaks library-form SCRIPTS/CORE/lib/executable.bash:1 SCRIPTS/CORE/lib/acts.bash:1 SCRIPTS/CORE/lib/acts.bash:5
  holds library-form
}

# Stronger than reading: each library is loaded, and nothing may be printed, started or changed by that.
@test "loading any library prints nothing and succeeds" {
  local library name
  while IFS= read -r -d '' library; do
    [[ $library != ./CORE/lib/boot.bash ]] || continue
    name=${library#./}
    name=${name#CORE/lib/}
    name=${name/\/lib\//\/}
    run --separate-stderr bash -c 'source "$1/CORE/lib/boot.bash"; before=$PWD; use "$2"; [[ $PWD == "$before" ]]' \
      load "$SCRIPTS" "${name%.bash}"
    # shellcheck disable=SC2154  # bats sets stderr
    assert_equal "$name: $status $output$stderr" "$name: 0 "
  done < <(cd -- "$SCRIPTS" && find . -path '*/lib/*.bash' -print0)
}

@test "dependencies run one way: COMMITTEE -> AGENTS -> SAFETY -> CORE/lib" {
  # shellcheck disable=SC2016  # text of a script
  printf '# COMMITTEE/vote.sh in a comment is fine\nuse SAFETY/rootfs\n"$ORKESTRA_SCRIPTS/SAFETY/x.sh"\n' | write SCRIPTS/AGENTS/good.sh 755
  printf 'use COMMITTEE/tally AGENTS/fresh\n' | write SCRIPTS/CORE/orchestrator.sh 755
  allowed dependency-direction
  printf 'use log\nuse COMMITTEE/tally\n' | write SCRIPTS/AGENTS/up.sh 755
  printf 'use SAFETY/rootfs\n' | write SCRIPTS/CORE/lib/up.bash 644
  printf '"../CORE/worker.sh"\n' | write SCRIPTS/SAFETY/lib/up.bash 644
  breaks dependency-direction SCRIPTS/AGENTS/up.sh:2 SCRIPTS/CORE/lib/up.bash:1 SCRIPTS/SAFETY/lib/up.bash:1
  holds dependency-direction
}

@test "no eval" {
  # shellcheck disable=SC2016  # text of a script
  printf 'x=evaluate\n# eval in a comment\n[[ $x ]] && eval "$x"\n' | write SCRIPTS/CORE/lib/bad.bash 644
  breaks no-eval SCRIPTS/CORE/lib/bad.bash:3
  printf 'eval "x" # allow no-eval: \neval "x" # allow no-eval: a constant\n' | write SCRIPTS/CORE/lib/bad.bash 644
  breaks no-eval SCRIPTS/CORE/lib/bad.bash:1
  printf '# allow no-eval: a constant\neval "x"\n' | write SCRIPTS/CORE/lib/bad.bash 644
  allowed no-eval
  holds no-eval
}

@test "no integer attribute" {
  printf 'declare -a list\nlocal -ri number=1\ndeclare -i other\n' | write SCRIPTS/CORE/lib/bad.bash 644
  breaks no-integer-declare SCRIPTS/CORE/lib/bad.bash:2 SCRIPTS/CORE/lib/bad.bash:3
  holds no-integer-declare
}

@test "no ((i++)) as a command" {
  printf 'for ((i = 0; i < 3; i++)); do\n  ((n++))\n  ((++n))\n  x[n++]=1\ndone\n' | write SCRIPTS/CORE/lib/bad.bash 644
  breaks no-post-increment SCRIPTS/CORE/lib/bad.bash:2
  holds no-post-increment
}

@test "no silenced failure without its reason" {
  printf 'f || true # it may be gone already\n# it may be gone already\ng || :\nIFS= read -r -d "" x || y\n' \
    | write SCRIPTS/CORE/lib/bad.bash 644
  allowed silenced-failure
  printf 'f || true\n\ng || :\nh \\\n  || true\n' | write SCRIPTS/CORE/lib/bad.bash 644
  breaks silenced-failure SCRIPTS/CORE/lib/bad.bash:1 SCRIPTS/CORE/lib/bad.bash:3 SCRIPTS/CORE/lib/bad.bash:5
  holds silenced-failure
}

@test "no Python and no jq in what runs for each task" {
  # shellcheck disable=SC2016  # text of a script
  printf 'use quick\nfor x in 1; do\n  "$ORKESTRA_PYTHON" -c pass\n  y=$(jq . file)\ndone\n' | write SCRIPTS/CORE/worker.sh 755
  printf 'quick::do() {\n  python3 -c pass\n}\n' | write SCRIPTS/CORE/lib/quick.bash 644
  printf 'python3 -c pass\n' | write SCRIPTS/CORE/setup.sh 755
  breaks hot-path SCRIPTS/CORE/worker.sh:3 SCRIPTS/CORE/worker.sh:4 SCRIPTS/CORE/lib/quick.bash:2
  holds hot-path
}

@test "the top level is the owner's" {
  mkdir bad/src bad/CONFIG
  touch bad/src/x bad/TODO.txt bad/README.md bad/CONFIG/.gitkeep
  breaks top-level src:1 TODO.txt:1
  holds top-level
}

@test "docs/reference.md and docs/messages.md are what the code says: bin/orkestra manual --docs docs writes them" {
  local name
  "$(framework_python)" -I -X utf8 "$FRAMEWORK/orkestra_shim/__main__.py" manual --docs made
  for name in reference messages; do
    diff -u "$FRAMEWORK/docs/$name.md" "made/$name.md"
  done
}

@test "no text names the place it was written at, or where packages come from" {
  printf 'x\nsee %s/file\n' "$(cd bad && pwd -P)" | write SCRIPTS/CORE/one.txt 644
  printf 'pip install --index-%s https://example.org/simple six\n' url >bad/two
  breaks foreign-places SCRIPTS/CORE/one.txt:2 two:1
  holds foreign-places
}
