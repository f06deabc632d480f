#!/usr/bin/env bats
# AGENTS/lib/tool.bash: what the adapters of real tools share.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  export GIT_CONFIG_GLOBAL=/dev/null
}

# littering COMMAND: an adapter in the current folder whose tool leaves files there and then does COMMAND.
littering() {
  bash -c '
    source "$0/CORE/lib/boot.bash"
    use AGENTS/tool
    tool::litter .tool/settings.json ".tool.cache.v*"
    mkdir -p .tool .tool.cache.v4
    printf new >.tool/settings.json
    printf new >.tool.cache.v4/data
    printf work >.tool.mine
    '"$1" "$SCRIPTS"
}

@test "what a tool leaves beside the work goes, however its adapter ends" {
  local ending
  for ending in 'exit 0' 'exit 1' 'tool::_stopped'; do
    mkdir -p "$BATS_TEST_TMPDIR/it's a tree"
    cd "$BATS_TEST_TMPDIR/it's a tree"
    run littering "$ending"
    [[ $(find . -mindepth 1 | sort) == ./.tool.mine ]]
  done
}

@test "what the project tracks there stays, whatever the tool made of it" {
  mkdir -p "$BATS_TEST_TMPDIR/tree/.tool"
  cd "$BATS_TEST_TMPDIR/tree"
  git init -q
  printf old >.tool/settings.json
  printf old >.tool/other
  git add .tool
  run littering 'exit 0'
  [[ $(find . -mindepth 1 -name '.tool*' | sort) == './.tool
./.tool.mine' ]]
  [[ $(<.tool/settings.json) == new && $(<.tool/other) == old ]]
}

@test "a link in place of it is taken away, and nothing behind it" {
  mkdir -p "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/behind"
  cd "$BATS_TEST_TMPDIR/tree"
  printf kept >"$BATS_TEST_TMPDIR/behind/data"
  run littering 'rm -rf .tool.cache.v4; ln -s "$OLDPWD/behind" .tool.cache.v4; exit 0'
  [[ ! -L .tool.cache.v4 && -f $BATS_TEST_TMPDIR/behind/data ]]
}

# A log of a tool that goes on for ever, unless it is ended.
@test "a tool that would go on trying is ended by what it says in its log" {
  local code=0
  export ORKESTRA_ATTEMPT_DIR=$BATS_TEST_TMPDIR/exchange
  mkdir -p "$ORKESTRA_ATTEMPT_DIR"
  timeout 60 bash -c '
    source "$0/CORE/lib/boot.bash"
    use AGENTS/tool
    TOOL_GIVES_UP="^\{\"type\":\"failure\",.*429" TOOL_LOG=$ORKESTRA_ATTEMPT_DIR/stream
    tool::run code bash -c "echo \"{\\\"type\\\":\\\"failure\\\",429}\"; exec sleep 600"
    exit "$code"
  ' "$SCRIPTS" || code=$?
  ((code == 143))
}
