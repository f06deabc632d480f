#!/usr/bin/env bats
# SCRIPTS/AGENTS/probe.sh and what the adapters say of themselves.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  export ORKESTRA_CONFIG=$PLACE/config PATH=/usr/local/bin:/usr/bin:/bin
  unset ANTHROPIC_API_KEY ANTHROPIC_AUTH_TOKEN CLAUDE_CODE_OAUTH_TOKEN
  mkdir -p -- "$ORKESTRA_CONFIG/agents"
}

probe() {
  run "$SCRIPTS/AGENTS/probe.sh" "$@"
}

# an_executable PATH [LINE...]: a Bash script of these lines.
an_executable() {
  local path=$1
  shift
  mkdir -p -- "${path%/*}"
  printf '%s\n' '#!/bin/bash' "$@" >"$path"
  chmod +x -- "$path"
}

@test "shell always works; a missing tool says how to get it" {
  probe
  assert_status 0
  assert_output_has "shell	yes	0	$SCRIPTS/AGENTS/adapters/shell"
  assert_output_has "claude	no	69"
  assert_output_has 'npm install -g @anthropic-ai/claude-code'
  probe claude
  assert_status 69
  probe nobody
  assert_status 64
}

@test "a tool without login is 77; a key or a login makes it usable" {
  an_executable "$HOME/.local/bin/claude" 'echo called >>"$HOME/called"'
  probe claude
  assert_status 69
  assert_output_has "claude	no	77"
  assert_output_has '/login'
  ANTHROPIC_API_KEY=x probe claude
  assert_status 0
  assert_output_has "claude	yes	0	$SCRIPTS/AGENTS/adapters/claude	$HOME/.local/bin/claude"
  mkdir "$HOME/.claude"
  printf '{}' >"$HOME/.claude/.credentials.json"
  probe claude
  assert_status 0
  # Nothing was called for it: neither a model nor the tool.
  assert_missing "$HOME/called"
}

@test "a key in api-keys.env counts, an empty or commented one does not, and no adapter sees its value" {
  an_executable "$HOME/.local/bin/claude"
  an_executable "$ORKESTRA_CONFIG/agents/spy" 'echo "saw $ANTHROPIC_API_KEY" >&2; exit 69'
  printf '%s\n' '#ANTHROPIC_API_KEY=a' 'ANTHROPIC_API_KEY=' 'CLAUDE_CODE_OAUTH_TOKEN=""' >"$ORKESTRA_CONFIG/api-keys.env"
  probe claude
  assert_status 69
  printf '%s\n' 'export ANTHROPIC_API_KEY="sk-the-key"' >"$ORKESTRA_CONFIG/api-keys.env"
  probe claude
  assert_status 0
  probe spy
  assert_output_lacks sk-the-key
}

@test "the user's own adapter is found by being there, and stands in for ours of the same name" {
  an_executable "$ORKESTRA_CONFIG/agents/mine" 'printf "binary\t/some/tool\n"'
  an_executable "$ORKESTRA_CONFIG/agents/shell"
  touch "$ORKESTRA_CONFIG/agents/notes.txt"
  an_executable "$ORKESTRA_CONFIG/agents/Bad Name"
  probe
  assert_output_has "mine	yes	0	$ORKESTRA_CONFIG/agents/mine	/some/tool	your own adapter"
  assert_output_has "shell	yes	0	$ORKESTRA_CONFIG/agents/shell"
  assert_output_lacks notes
  assert_output_lacks 'Bad Name'
}

@test "an adapter's words cannot forge a line" {
  an_executable "$ORKESTRA_CONFIG/agents/liar" 'printf "no\nclaude\tyes\t0\n" >&2; exit 69'
  probe liar
  assert_equal "${#lines[@]}" 1
  assert_output_has 'no\nclaude\tyes\t0'
}

@test "cron's bare environment is enough" {
  an_executable "$HOME/.local/bin/claude"
  run env -i HOME="$HOME" PATH=/usr/bin:/bin ANTHROPIC_API_KEY=x "$SCRIPTS/AGENTS/probe.sh" claude
  assert_status 0
  assert_output_has "$HOME/.local/bin/claude"
}

@test "what a tool needs to see: the file, its node_modules and interpreter, never the folder above" {
  an_executable "$HOME/.nvm/versions/node/v20/bin/node"
  an_executable "$HOME/.nvm/versions/node/v20/lib/node_modules/@x/claude/cli.js"
  ln -s ../lib/node_modules/@x/claude/cli.js "$HOME/.nvm/versions/node/v20/bin/claude"
  ANTHROPIC_API_KEY=x run "$SCRIPTS/AGENTS/adapters/claude" probe
  assert_status 0
  local root=$HOME/.nvm/versions/node/v20
  assert_equal "$output" "binary	$root/lib/node_modules/@x/claude/cli.js
read	$root/lib/node_modules
read	$root/bin/node"
}

@test "every adapter describes itself by the contract" {
  local adapter python
  python=$(framework_python)
  for adapter in "$SCRIPTS"/AGENTS/adapters/*; do
    [[ -x $adapter ]] || continue
    run "$adapter" describe
    assert_status 0
    NAME=${adapter##*/} FOLDER=${adapter%/*} "$python" -c '
import json, os, pathlib, sys
told = json.loads(sys.stdin.read())
assert told["name"] == os.environ["NAME"]
assert told["kind"] in ("shell", "ai") and told["revises"] in ("tree", "base")
assert all(isinstance(told[key], str) for key in ("family", "binary"))
for key in ("env", "base_url_env", "credentials", "can"):
    assert isinstance(told[key], list) and all(isinstance(item, str) for item in told[key]), key
assert set(told["can"]) <= {"work", "ballot"}
assert not any(path.startswith("/") or ".." in path for path in told["credentials"])
if "extract" in told:
    assert (pathlib.Path(os.environ["FOLDER"]) / told["extract"]).is_file()
' <<<"$output"
    run "$adapter" nonsense
    assert_status 64
  done
}
