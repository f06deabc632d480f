#!/usr/bin/env bats
# SCRIPTS/AGENTS/spawn.sh with the shell adapter: the agent's life, its HOME, its credentials, what is kept.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
  export ORKESTRA_PYTHON ORKESTRA_CONFIG=$PLACE/config ORKESTRA_GIT_DIR=$PLACE/git ORKESTRA_RUNTIME=$PLACE/runtime \
    ORKESTRA_WORKSPACES=$PLACE/cache ORKESTRA_GRACE=5 ORKESTRA_SANDBOX=required \
    ORKESTRA_SECRETS_FILE=$PLACE/secrets PYTHONPATH=$FRAMEWORK
  ORKESTRA_PYTHON=$(framework_python)
  W=$PLACE/cache/w1 T=$PLACE/runtime/w1 A=$PLACE/attempt
  mkdir -p -- "$W/tree" "$T/exchange" "$ORKESTRA_CONFIG/RUNTIME" "$PLACE/git/objects"
  : >"$ORKESTRA_SECRETS_FILE"
  printf '%s' "$SCRIPTS/AGENTS/adapters/shell" >"$T/adapter"
  printf 60 >"$T/timeout"
  printf a-task >"$T/task"
  printf 2 >"$T/try"
  : >"$T/binary"
  printf 'the prompt\n' >"$T/exchange/prompt.md"
}

# spawn COMMAND: what the task says.
spawn() {
  printf '%s\n' "$1" >"$T/exchange/command"
  run "$SCRIPTS/AGENTS/spawn.sh" work "$W" "$T" "$A"
}

# begin COMMAND: the same in the background, until it has printed "ready". SPAWNED is its pid.
begin() {
  printf '%s\n' "$1" >"$T/exchange/command"
  "$SCRIPTS/AGENTS/spawn.sh" work "$W" "$T" "$A" 3>&- &
  SPAWNED=$!
  wait_for_line "$A/output.log" '^ready$'
}

# The processes whose environment or command line names this workspace's exchange folder.
running() {
  printf '%s' "$W/exchange" >"$PLACE/mark" # not an operand: grep would find itself
  grep -laF -f "$PLACE/mark" /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null || true
}

# nothing_runs: an end takes a moment to be seen; the number of looks is a bound.
nothing_runs() {
  local tries
  for ((tries = 0; tries < 500; ++tries)); do
    [[ -n $(running) ]] || return 0
    sleep 0.02
  done
  running >&2
  return 1
}

# ended STATUS: what was begun has ended so.
ended() {
  local code=0
  wait "$SPAWNED" || code=$?
  assert_equal "$code" "$1"
}

credential() {
  mkdir -p -- "$HOME/.tool"
  printf '%s' '{"login": {"token": "old-token", "expires": 1}}' >"$HOME/.tool/login.json"
  chmod 640 "$HOME/.tool/login.json"
  printf '%s\0' "$HOME/.tool/login.json" .tool/login.json >"$T/credentials"
}

@test "the command runs in the tree, with prompt, environment and a HOME of its own" {
  printf '%s\0' 'KEY_OF_MINE=a value' ORKESTRA_TASK=forged >"$T/env"
  spawn 'cat; printf "%s\n" "$PWD" "$HOME" "$KEY_OF_MINE" "$ORKESTRA_TASK $ORKESTRA_TRY"; ls -A ~; touch made'
  assert_status 0
  assert_file "$A/output.log" "the prompt
$W/tree
$W/home
a value
a-task 2"
  assert_exists "$W/tree/made"
  assert_equal "$(stat -c %a "$W/tree/made")" 644
  assert_missing "$W/home" "$T/spawn"
}

@test "a command cannot claim the contract's special codes" {
  local code
  for code in 1 65 69 75 77 78 124 137 255; do
    spawn "exit $code"
    assert_status 1
  done
  : >"$T/exchange/command"
  run "$SCRIPTS/AGENTS/spawn.sh" work "$W" "$T" "$A"
  assert_status 1
}

@test "feedback and the exchange folder are those of this attempt" {
  spawn 'touch "$ORKESTRA_ATTEMPT_DIR/left"'
  printf 'do it better\n' >"$T/exchange/feedback.md"
  spawn 'cat "$ORKESTRA_ATTEMPT_DIR/feedback.md"; ls "$ORKESTRA_ATTEMPT_DIR"'
  assert_file_has "$A/output.log" 'do it better'
  assert_file_lacks "$A/output.log" left
}

@test "HOME is fresh whatever was left in it, and links in it are not followed" {
  mkdir -p "$PLACE/elsewhere"
  touch "$PLACE/elsewhere/mine"
  spawn "mkdir -p ~/a/b; ln -s ${PLACE@Q}/elsewhere ~/link; touch ~/a/b/c; chmod 000 ~/a/b ~/a"
  assert_status 0
  assert_missing "$W/home"
  mkdir -p "$W/home/.config"
  spawn 'ls -A ~'
  assert_equal "$(<"$A/output.log")" ''
  rm -rf "$W/exchange"
  ln -s "$PLACE/elsewhere" "$W/exchange"
  ln -s "$PLACE/elsewhere" "$W/home"
  spawn 'touch ~/x'
  assert_status 0
  assert_equal "$(ls "$PLACE/elsewhere")" mine
}

@test "it sees nothing of the user, the framework's settings or other workspaces" {
  mkdir -p "$PLACE/cache/w2"
  touch "$HOME/private" "$ORKESTRA_CONFIG/api-keys.env" "$PLACE/cache/w2/file" "$T/env"
  spawn "ls ${HOME@Q} ${ORKESTRA_CONFIG@Q} ${PLACE@Q}/cache/w2 ${T@Q} ${A@Q}; ls ${W@Q}; \
    echo x >>${SCRIPTS@Q}/CORE/lib/boot.bash"
  assert_status 1
  assert_file_lacks "$A/output.log" private
  assert_file_lacks "$A/output.log" api-keys
  assert_file_has "$A/output.log" 'Read-only file system'
  ORKESTRA_SANDBOX=off spawn "ls ${HOME@Q}"
  assert_file_has "$A/output.log" private
}

@test "the time is up: 124, and nothing is left, even where TERM is ignored" {
  printf 1 >"$T/timeout"
  export ORKESTRA_GRACE=1
  spawn 'trap "" TERM; (trap "" TERM; setsid sleep 1000 &); while :; do sleep 1000; done'
  assert_status 124
  nothing_runs
}

@test "TERM reaches the agent, which has its grace, and nothing is left" {
  begin 'trap "echo last words; exit 0" TERM; (setsid sleep 1000 &); echo ready; sleep 1000 & wait'
  kill -TERM "$SPAWNED"
  ended 143
  assert_file_has "$A/output.log" 'last words'
  assert_missing "$W/home"
  nothing_runs
}

@test "the death of spawn.sh takes everything with it" {
  begin '(setsid sleep 1000 &); trap "" TERM; echo ready; sleep 1000 & wait'
  kill -KILL "$SPAWNED"
  ended 137
  nothing_runs
}

@test "without a sandbox, what the command left behind is ended too" {
  export ORKESTRA_SANDBOX=off
  spawn '(setsid sleep 1000 &) ; setsid bash -c "trap : TERM; while :; do sleep 1000; done" & exit 0'
  assert_status 0
  nothing_runs
}

@test "a known key is not kept in what it printed" {
  know sk-very-secret-key
  printf 'KEY=sk-very-secret-key\0' >"$T/env"
  spawn 'echo "key: $KEY."; echo "{\"text\": \"$KEY\"}" >"$ORKESTRA_ATTEMPT_DIR/result.json"'
  assert_status 0
  assert_file_lacks "$A/output.log" sk-very
  assert_file_lacks "$A/result.json" sk-very
  assert_file_has "$A/output.log" 'key: '
}

@test "results: regular files only, of this attempt, and not beyond the limit" {
  printf 'private\n' >"$HOME/file"
  printf 'stale\n' >"$PLACE/stale"
  mkdir -p "$A"
  ln -s "$PLACE/stale" "$A/result.json"
  spawn "cd \"\$ORKESTRA_ATTEMPT_DIR\"; ln -s ${HOME@Q}/file result.json; mkfifo output.json; truncate -s 1G output.stderr; \
    echo 7 >output.exit; echo x >other"
  assert_status 0
  assert_equal "$(ls "$A")" 'output.exit
output.log'
  assert_file "$PLACE/stale" stale
}

@test "a log of any size is cut" {
  spawn 'echo first; head -c 40000000 /dev/zero; echo; echo last'
  assert_status 0
  assert_equal "$(head -n 1 "$A/output.log")" first
  assert_equal "$(tail -n 1 "$A/output.log")" last
  (($(stat -c %s "$A/output.log") < 17000000))
}

@test "one that took too much has failed also where it ended well by itself" {
  ORKESTRA_OUTPUT_LIMIT=1 spawn 'head -c 3000000 /dev/zero'
  assert_status 1
  assert_equal "$output" 'printed more than 1 MiB (ORKESTRA_OUTPUT_LIMIT)'
}

# The attacks themselves are in SAFETY/limits.bats.
@test "an agent that takes too much is ended and has failed, whatever it says itself; what it refreshed is kept" {
  credential
  export ORKESTRA_OUTPUT_LIMIT=1 ORKESTRA_GRACE=60
  printf '{"exit": 0}' >"$T/exchange/result"
  spawn 'sed -i "s/old-token/new-token/" ~/.tool/login.json; cp "$ORKESTRA_ATTEMPT_DIR"/result{,.json}; trap "" TERM; yes'
  assert_status 1
  assert_equal "$output" 'printed more than 1 MiB (ORKESTRA_OUTPUT_LIMIT)'
  assert_file_has "$HOME/.tool/login.json" new-token
  nothing_runs
}

@test "a reviewer's HOME counts for it, and the tree that it looks at does not" {
  printf '#!/bin/bash\nhead -c 3000000 /dev/urandom >~/large; sleep "$(<"$ORKESTRA_ATTEMPT_DIR/time")"\n' >"$PLACE/judge"
  chmod +x "$PLACE/judge"
  printf '%s' "$PLACE/judge" >"$T/adapter"
  head -c 3000000 /dev/urandom >"$W/tree/large"
  export ORKESTRA_DISK_LIMIT=4
  printf 5 >"$T/exchange/time"
  run "$SCRIPTS/AGENTS/spawn.sh" ballot "$W/tree" "$T" "$A" "$W"
  assert_status 0
  assert_equal "$output" ''
  export ORKESTRA_DISK_LIMIT=2
  printf 1000 >"$T/exchange/time"
  run "$SCRIPTS/AGENTS/spawn.sh" ballot "$W/tree" "$T" "$A" "$W"
  assert_status 1
  assert_equal "$output" 'filled more than 2 MiB of disk (ORKESTRA_DISK_LIMIT)'
}

@test "credentials enter as copies; unchanged, they are not touched" {
  credential
  local before
  before=$(stat -c '%i %Y %a' "$HOME/.tool/login.json")
  spawn 'stat -c "%a %F" ~/.tool/login.json; cat ~/.tool/login.json'
  assert_status 0
  assert_file_has "$A/output.log" '600 regular file'
  assert_file_has "$A/output.log" old-token
  assert_equal "$(stat -c '%i %Y %a' "$HOME/.tool/login.json")" "$before"
  assert_equal "$(ls -A "$HOME/.tool")" login.json
}

@test "a refreshed credential comes back, with the mode of the original, also when the agent failed or was stopped" {
  credential
  spawn 'sed -i "s/old-token/new-token/" ~/.tool/login.json; touch ~/.tool/more; exit 1'
  assert_status 1
  assert_file "$HOME/.tool/login.json" '{"login": {"token": "new-token", "expires": 1}}'
  assert_equal "$(stat -c %a "$HOME/.tool/login.json")" 640
  assert_equal "$(ls -A "$HOME/.tool")" login.json
  begin 'sed -i "s/new-token/third-token/" ~/.tool/login.json; echo ready; sleep 1000'
  kill -TERM "$SPAWNED"
  ended 143
  assert_file_has "$HOME/.tool/login.json" third-token
}

@test "the original may be a link; its target is replaced" {
  credential
  mv "$HOME/.tool/login.json" "$PLACE/real.json"
  ln -s "$PLACE/real.json" "$HOME/.tool/login.json"
  spawn 'sed -i "s/old-token/new-token/" ~/.tool/login.json'
  [[ -L $HOME/.tool/login.json ]]
  assert_file_has "$PLACE/real.json" new-token
}

@test "what is no refreshed credential does not come back" {
  local how before
  credential
  touch "$PLACE/target"
  before=$(<"$HOME/.tool/login.json")
  for how in 'rm ~/.tool/login.json' ': >~/.tool/login.json' 'echo "no json" >~/.tool/login.json' \
    'echo "{\"login\": {\"token\": \"x\"}}" >~/.tool/login.json' \
    'echo "{\"login\": {\"token\": \"x\", \"expires\": 1}, \"mcp\": {\"run\": \"evil\"}}" >~/.tool/login.json' \
    'echo "{\"login\": {\"token\": [{}], \"expires\": 1}}" >~/.tool/login.json' \
    'rm ~/.tool/login.json; mkfifo ~/.tool/login.json' 'rm ~/.tool/login.json; mkdir ~/.tool/login.json' \
    'truncate -s 300K ~/.tool/login.json' "ln -sf ${PLACE@Q}/forged.json ~/.tool/login.json" \
    "rm -r ~/.tool; ln -s ${PLACE@Q}/forged ~/.tool"; do
    mkdir -p "$PLACE/forged"
    printf '{"login": {"token": "forged", "expires": 1}}' | tee "$PLACE/forged.json" >"$PLACE/forged/login.json"
    spawn "$how"
    assert_status 0
    assert_equal "$(<"$HOME/.tool/login.json")" "$before"
  done
}

@test "a login that somebody else refreshed meanwhile stays" {
  credential
  mkfifo "$T/exchange/go"
  begin 'sed -i "s/old-token/from-agent/" ~/.tool/login.json; echo ready; read -r _ <"$ORKESTRA_ATTEMPT_DIR/go"'
  printf '%s' '{"login": {"token": "from-user", "expires": 1}}' >"$HOME/.tool/login.json"
  latch_open "$W/exchange/go"
  wait "$SPAWNED"
  assert_file_has "$HOME/.tool/login.json" from-user
}

@test "four at once with one login: one refresh is kept, whole" {
  local n pids=()
  credential
  for n in 1 2 3 4; do
    cp -R "$T" "$PLACE/runtime/t$n"
    mkdir -p "$PLACE/cache/v$n/tree"
    printf 'sed -i "s/old-token/token-%s/" ~/.tool/login.json\n' "$n" >"$PLACE/runtime/t$n/exchange/command"
    "$SCRIPTS/AGENTS/spawn.sh" work "$PLACE/cache/v$n" "$PLACE/runtime/t$n" "$PLACE/attempt$n" 3>&- &
    pids+=("$!")
  done
  for n in "${pids[@]}"; do wait "$n"; done
  assert_matches "$(<"$HOME/.tool/login.json")" '^\{"login": \{"token": "token-[1-4]", "expires": 1\}\}$'
  assert_equal "$(ls -A "$HOME/.tool")" login.json
}

@test "a ballot sees the tree without records and history, and cannot write it" {
  cat >"$PLACE/judge" <<'ADAPTER'
#!/bin/bash
[[ $1 == ballot ]] || exit 1
cat
find . -mindepth 1 | sort
cat config/*
cp "$ORKESTRA_ATTEMPT_DIR/schema.json" "$ORKESTRA_ATTEMPT_DIR/result.json"
touch mine 2>/dev/null && echo could write
exit 0
ADAPTER
  chmod +x "$PLACE/judge"
  printf '%s' "$PLACE/judge" >"$T/adapter"
  printf '{}' >"$T/exchange/schema.json"
  mkdir -p "$W/tree/logs/voting" "$W/tree/.git" "$W/tree/src" "$W/tree/config"
  touch "$W/tree/logs/voting/vote-001.json" "$W/tree/.git/HEAD" "$W/tree/src/code"
  echo 'the author is claude' | tee "$W/tree/config/project.json" >"$W/tree/config/task-queue.json"
  echo 'of the project' >"$W/tree/config/routes.json"
  run "$SCRIPTS/AGENTS/spawn.sh" ballot "$W/tree" "$T" "$A" "$W"
  assert_status 0
  assert_file "$A/output.log" 'the prompt
./.git
./config
./config/project.json
./config/routes.json
./config/task-queue.json
./logs
./src
./src/code
of the project'
  assert_file "$A/result.json" '{}'
  assert_equal "$(ls -A "$W/ballots")" ''
}

@test "codes of an adapter: those of the contract pass, others failed" {
  printf '#!/bin/bash\nexit $(<"$ORKESTRA_ATTEMPT_DIR/code")\n' >"$PLACE/adapter"
  chmod +x "$PLACE/adapter"
  printf '%s' "$PLACE/adapter" >"$T/adapter"
  local pair
  for pair in 0:0 65:65 69:69 75:75 77:77 124:124 1:1 2:1 78:1 137:1 143:1; do
    printf '%s' "${pair%:*}" >"$T/exchange/code"
    run "$SCRIPTS/AGENTS/spawn.sh" work "$W" "$T" "$A"
    assert_status "${pair#*:}"
  done
}

@test "the adapter is asked where the ticket names no binary" {
  rm "$T/binary"
  printf '#!/bin/bash\n[[ $1 == work ]] && echo "<$ORKESTRA_BINARY>" && cat "$ORKESTRA_BINARY" && exit\n%s\n' \
    '[[ -n $KEY_OF_MINE ]] || { echo "no key" >&2; exit 77; }; printf "binary\t%s\nread\t%s\n" "$HOME/tool" "$HOME/tool"' \
    >"$PLACE/adapter"
  chmod +x "$PLACE/adapter"
  printf '%s' "$PLACE/adapter" >"$T/adapter"
  printf 'i am the tool\n' >"$HOME/tool"
  spawn ''
  assert_status 77
  assert_output_has 'no key'
  printf 'KEY_OF_MINE=x\0' >"$T/env"
  spawn ''
  assert_status 0
  assert_file "$A/output.log" "<$HOME/tool>
i am the tool"
}

@test "bad tickets and wrong usage are refused" {
  run "$SCRIPTS/AGENTS/spawn.sh" work "$W"
  assert_status 64
  printf 'x[$(touch %s/ran)]' "$PLACE" >"$T/timeout"
  spawn true
  assert_status 65
  assert_missing "$PLACE/ran"
  printf 5 >"$T/timeout"
  printf '%s\0' "$HOME/x" ../../out >"$T/credentials"
  touch "$HOME/x"
  spawn true
  assert_status 65
  assert_missing "$W/home"
  printf '/nonexistent' >"$T/adapter"
  spawn true
  assert_status 69
}
