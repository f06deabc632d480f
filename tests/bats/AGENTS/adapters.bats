#!/usr/bin/env bats
# What the adapters say of themselves.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  export PATH=/usr/local/bin:/usr/bin:/bin
}

# an_executable PATH [LINE...]: a Bash script of these lines.
an_executable() {
  local path=$1
  shift
  mkdir -p -- "${path%/*}"
  printf '%s\n' '#!/bin/bash' "$@" >"$path"
  chmod +x -- "$path"
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
assert set(told["can"]) <= {"work", "ballot", "attach"}
assert all(isinstance(word, str) for word in told.get("login", []))
assert not any(path.startswith("/") or ".." in path for path in told["credentials"])
if "extract" in told:
    assert (pathlib.Path(os.environ["FOLDER"]) / told["extract"]).is_file()
' <<<"$output"
    run "$adapter" nonsense
    assert_status 64
  done
}

@test "two tools are called grok, and other programs: each is told apart" {
  local adapter=$SCRIPTS/AGENTS/adapters/grok npm=$HOME/.local/lib/node_modules/@vibe-kit/grok-cli/dist/index.js
  export XAI_API_KEY=x
  an_executable "$HOME/.local/bin/grok" 'echo "grok 0.2.111 (94172f2aa4)"'
  run "$adapter" probe
  assert_status 0
  assert_equal "${lines[0]}" "binary	$HOME/.local/bin/grok"
  run "$adapter" describe
  [[ $output == *'"can": ["work", "ballot"]'* ]]

  an_executable "$HOME/.local/bin/grok" 'echo "grok: a parser of logs"'
  run "$adapter" probe
  assert_status 69
  [[ $output == *'another program of that name'* ]]

  rm "$HOME/.local/bin/grok"
  an_executable "$npm" 'echo 1.0.1'
  ln -s "$npm" "$HOME/.local/bin/grok"
  run "$adapter" probe
  assert_status 0
  run "$adapter" describe
  [[ $output == *'"can": ["work"]'* ]]
}

@test "a login of copilot that lies in a keychain is none for a run" {
  local adapter=$SCRIPTS/AGENTS/adapters/copilot
  an_executable "$HOME/.local/bin/copilot"
  mkdir "$HOME/.copilot"
  printf '// Managed.\n{"loggedInUsers": [{"host": "https://github.com", "login": "me"}]}\n' >"$HOME/.copilot/config.json"
  run "$adapter" probe
  assert_status 77
  [[ $output == *COPILOT_GITHUB_TOKEN* ]]
  printf '// Managed.\n{"copilotTokens": {"https://github.com:me": "gho_x"}}\n' >"$HOME/.copilot/config.json"
  run "$adapter" probe
  assert_status 0
}

@test "a tool for any model is counted for the vendor of the one that is named" {
  local adapter
  for adapter in copilot aider; do
    ORKESTRA_MODEL=openrouter/anthropic/claude-x run "$SCRIPTS/AGENTS/adapters/$adapter" describe
    [[ $output == *'"family": "anthropic"'* ]]
  done
}
