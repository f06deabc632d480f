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
