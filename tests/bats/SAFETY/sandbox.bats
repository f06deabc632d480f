#!/usr/bin/env bats
# SCRIPTS/SAFETY/sandbox.sh as a command: options, environment, signals, modes, what it says. Attacks: attacks.bats.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  need_sandbox
  W=$PLACE/$'-w\nä é/w1'
  mkdir -p -- "$W"/{tree,home} "$PLACE/runtime"
  export ORKESTRA_SANDBOX=required ORKESTRA_RUNTIME=$PLACE/runtime
}

sandbox() { "$SCRIPTS/SAFETY/sandbox.sh" "$@"; }

env_file() { printf '%s\0' "$@" >"$PLACE/env"; }

# without_bubblewrap: PATH has everything but bwrap.
without_bubblewrap() {
  mkdir "$PLACE/bin"
  ln -s -t "$PLACE/bin" -- /usr/bin/*
  rm -f -- "$PLACE/bin/bwrap"
  PATH=$PLACE/bin
}

# broken_bubblewrap WORDS: it is there, says WORDS, and fails.
broken_bubblewrap() {
  mkdir "$PLACE/bin"
  printf '#!/bin/sh\necho "bwrap: %s" >&2\nexit 1\n' "$1" >"$PLACE/bin/bwrap"
  chmod 755 "$PLACE/bin/bwrap"
  PATH=$PLACE/bin:$PATH
}

@test "hostile paths: a newline, a leading dash, spaces, letters beyond ASCII" {
  run sandbox --rw "$W/tree" --home "$W/home" --chdir "$W/tree" -- bash -c 'pwd; echo in >file; cd; pwd'
  assert_status 0
  assert_equal "$output" "$W/tree"$'\n'"$W/home"
  assert_file "$W/tree/file" in
}

@test "a command whose own path has an equals sign" {
  mkdir "$PLACE/a=b"
  printf '#!/bin/sh\necho "$0" "$1"\n' >"$PLACE/a=b/tool"
  chmod 755 "$PLACE/a=b/tool"
  run sandbox --ro "$PLACE/a=b" -- "$PLACE/a=b/tool" 'x y'
  assert_equal "$output" "$PLACE/a=b/tool x y"
}

@test "read-only is read-only, hidden is empty, the rest of the machine is not there" {
  mkdir "$W/tree/secret"
  echo x >"$W/tree/secret/file"
  run sandbox --ro "$W/tree" -- touch "$W/tree/new"
  assert_status 1
  run sandbox --rw "$W/tree" --hide "$W/tree/secret" -- ls -A "$W/tree/secret"
  assert_equal "$output" ''
  run sandbox --ro "$W/tree" --hide "$W/tree/secret/file" -- cat "$W/tree/secret/file"
  assert_status 0
  assert_equal "$output" ''
  run sandbox -- ls -A "$PLACE" "$FRAMEWORK"
  assert_status 2
  run sandbox -- touch /here
  assert_status 1
}

@test "only what the file says enters the environment, besides our own" {
  env_file 'API_KEY=a b' $'TEXT=two\nlines' 'args=mine' 'HOME=/nowhere' 'PATH=/nowhere'
  export UNASKED=1
  run -0 --separate-stderr sandbox --home "$W/home" --env "$PLACE/env" -- env -0
  mapfile -d '' -t pairs < <(sandbox --home "$W/home" --env "$PLACE/env" -- env -0)
  local -A seen=()
  for pair in "${pairs[@]}"; do seen[${pair%%=*}]=${pair#*=}; done
  assert_equal "${seen[API_KEY]}" 'a b'
  assert_equal "${seen[TEXT]}" $'two\nlines'
  assert_equal "${seen[args]}" mine
  assert_equal "${seen[HOME]}" "$W/home"
  assert_equal "${seen[TERM]}" dumb
  [[ ${seen[PATH]} == */usr/bin* ]]
  for name in UNASKED ORKESTRA_RUNTIME ORKESTRA_SANDBOX ORKESTRA_SCRIPTS GIT_CONFIG_GLOBAL; do
    [[ ! -v seen[$name] ]] || fail "$name entered"
  done
}

@test "what Bash cannot unset does not enter either" {
  run env 'odd-name=1' 'BASH_FUNC_cat%%=() { echo fooled; }' EX_OK=5 "$SCRIPTS/SAFETY/sandbox.sh" -- env
  assert_status 0
  assert_output_lacks odd-name
  assert_output_lacks fooled
  assert_output_lacks EX_OK
}

@test "variables that would act on our own programs are refused by name, values are not shown" {
  for name in LD_PRELOAD BASH_ENV ENV SHELLOPTS UID GLIBC_TUNABLES; do
    env_file "$name=sesame"
    run sandbox --env "$PLACE/env" -- true
    assert_status 65
    assert_output_has "$name"
    assert_output_lacks sesame
  done
  for entry in 'no equals' '=x' 'a b=c' '1a=c' 'a$(id)=c'; do
    env_file "$entry"
    run sandbox --env "$PLACE/env" -- true
    assert_status 65
    assert_output_lacks "$entry"
  done
}

@test "a key is in no command line" {
  env_file API_KEY=open-sesame-4711
  latch_make UP DOWN
  sandbox --rw "$BATS_TEST_TMPDIR" --env "$PLACE/env" -- bash -c 'echo >"$1"; read -r _ <"$2"' x "$LATCH_UP" "$LATCH_DOWN" 3>&- &
  local pid=$!
  latch_wait "$LATCH_UP"
  run grep -las open-sesame-4711 /proc/[0-9]*/cmdline
  assert_equal "$output" ''
  latch_open "$LATCH_DOWN"
  wait "$pid"
}

@test "no descriptor above 2 is open, stdin is empty or the given file" {
  exec 7<"$SCRIPTS/SAFETY/sandbox.sh" 8>"$PLACE/lock"
  run sandbox -- bash -c 'for fd in /proc/self/fd/*; do [[ ! -e $fd ]] || echo "${fd##*/}"; done; cat'
  assert_equal "$output" $'0\n1\n2'
  exec 7<&- 8>&-
  echo words >"$PLACE/stdin"
  run sandbox --stdin "$PLACE/stdin" -- cat
  assert_equal "$output" words
}

@test "the exit status is the command's" {
  run sandbox -- bash -c 'exit 37'
  assert_status 37
  run -127 sandbox -- /no/such/program
}

@test "a file may not grow beyond its limit" {
  run sandbox --rw "$W/tree" --files-limit 1048576 -- bash -c 'head -c 2000000 /dev/zero >"$1"' x "$W/tree/big"
  [[ $status != 0 ]]
  [[ $(stat -c %s "$W/tree/big") == 1048576 ]]
}

@test "TERM to the group reaches the command, which may end in its own time and way" {
  latch_make UP
  timeout --kill-after=30 60 "$SCRIPTS/SAFETY/sandbox.sh" --rw "$BATS_TEST_TMPDIR" --rw "$W/tree" --chdir "$W/tree" -- \
    bash -c 'trap "echo graceful >end; exit 5" TERM; echo >"$1"; sleep infinity & wait' x "$LATCH_UP" 3>&- &
  local pid=$! status=0
  latch_wait "$LATCH_UP"
  kill -TERM "$pid"
  wait "$pid" || status=$?
  assert_equal "$status" 5
  assert_file "$W/tree/end" graceful
}

@test "the end of what started it is the end of all of it" {
  latch_make UP
  bash -c 'setpriv --pdeathsig KILL -- timeout 60 "$@" & echo $! >pid; wait' x "$SCRIPTS/SAFETY/sandbox.sh" --rw "$BATS_TEST_TMPDIR" \
    --rw "$W/tree" --chdir "$W/tree" -- \
    bash -c 'exec 8>lock; flock 8; setsid bash -c "trap \"\" TERM HUP; sleep infinity" & echo >"$1"; wait' x "$LATCH_UP" 3>&- &
  local pid=$!
  latch_wait "$LATCH_UP"
  run flock --nonblock "$W/tree/lock" true
  assert_status 1
  kill -KILL "$pid"
  flock --timeout "$PATIENCE" "$W/tree/lock" true
}

@test "bad options are refused with 64, missing paths with 65" {
  for arguments in '' '-- ' '--rw' '--what x -- true' '--rw relative -- true' '--rw /a/../b -- true' '--files-limit a[0] -- true'; do
    # shellcheck disable=SC2086  # split on purpose
    run sandbox $arguments
    assert_status 64
  done
  run sandbox --ro "$PLACE/missing" -- true
  assert_status 65
  run sandbox --stdin "$PLACE/missing" -- true
  assert_status 65
}

@test "without bubblewrap: required refuses with the cure, auto says so once and runs, off runs" {
  without_bubblewrap
  run sandbox -- true
  assert_status 78
  assert_output_has bubblewrap
  run sandbox --probe
  assert_status 69
  assert_output_has 'not installed'
  rm -f -- "$ORKESTRA_RUNTIME/sandbox-base"
  export ORKESTRA_SANDBOX=auto
  run sandbox --home "$W/home" -- bash -c 'echo "$HOME"; cat "$1"' x "$SCRIPTS/SAFETY/check.sh"
  assert_status 0
  assert_output_has 'without a sandbox'
  assert_output_has "$W/home"
  run sandbox -- echo again
  assert_equal "$output" again
  ORKESTRA_SANDBOX=off run sandbox -- echo off
  assert_equal "$output" off
}

@test "why bubblewrap fails, and the cure: switched off, and AppArmor's profile" {
  broken_bubblewrap 'setting up uid map: Permission denied'
  mkdir -p "$PLACE/sys/kernel" "$PLACE/sys/user"
  export BUBBLEWRAP_SYS=$PLACE/sys
  echo 0 >"$PLACE/sys/user/max_user_namespaces"
  run sandbox --probe
  assert_status 69
  assert_output_has 'sysctl -w user.max_user_namespaces'
  rm "$PLACE/sys/user/max_user_namespaces"
  echo 0 >"$PLACE/sys/kernel/unprivileged_userns_clone"
  run sandbox --probe
  assert_output_has 'kernel.unprivileged_userns_clone=1'
  echo 1 >"$PLACE/sys/kernel/unprivileged_userns_clone"
  echo 1 >"$PLACE/sys/kernel/apparmor_restrict_unprivileged_userns"
  run sandbox --probe
  assert_output_has '/etc/apparmor.d/bwrap'
  assert_output_has 'userns,'
  assert_output_has 'uid map: Permission denied'
}

@test "off: the same environment, folder, limits and stdin" {
  env_file API_KEY=k
  export ORKESTRA_SANDBOX=off UNASKED=1
  run sandbox --rw "$W/tree" --home "$W/home" --chdir "$W/tree" --env "$PLACE/env" --files-limit 1048576 -- \
    bash -c 'pwd; echo "$HOME $API_KEY ${UNASKED:-none} $(ulimit -f)"; cat'
  assert_status 0
  assert_equal "$output" "$W/tree"$'\n'"$W/home k none 1024"
}

@test "what is kept for a run is made anew when the PATH changes, and by --probe" {
  sandbox -- true
  cp "$ORKESTRA_RUNTIME/sandbox-base" "$PLACE/before"
  sandbox -- true
  cmp "$PLACE/before" "$ORKESTRA_RUNTIME/sandbox-base"
  mkdir "$PLACE/venv" "$PLACE/venv/bin"
  : >"$PLACE/venv/pyvenv.cfg"
  PATH=$PLACE/venv/bin:$PATH run sandbox -- bash -c 'echo "$PATH"'
  assert_output_has "$PLACE/venv/bin"
  echo rubbish >"$ORKESTRA_RUNTIME/sandbox-base"
  sandbox -- true
  sandbox --probe
  cmp "$PLACE/before" "$ORKESTRA_RUNTIME/sandbox-base"
}

@test "ORKESTRA_SANDBOX_READ is there to read, missing entries are no matter" {
  mkdir "$PLACE/data sets"
  echo data >"$PLACE/data sets/file"
  export ORKESTRA_SANDBOX_READ="$PLACE/missing:$PLACE/data sets"
  run sandbox -- cat "$PLACE/data sets/file"
  assert_equal "$output" data
  run sandbox -- touch "$PLACE/data sets/new"
  assert_status 1
}

# tool FILE: an executable that says its name.
tool() {
  mkdir -p -- "${1%/*}"
  printf '#!/bin/sh\necho "%s"\n' "${1##*/}" >"$1"
  chmod 755 "$1"
}

@test "toolchains below the home that are on PATH work, and bring no credentials" {
  local home=$PLACE/home
  tool "$home/.pyenv/shims/snake"
  tool "$home/.cargo/bin/crab"
  tool "$home/.nvm/versions/node/v1/bin/knot"
  mkdir -p "$home/.nvm/versions/node/v1/lib/node_modules" "$home/.rustup"
  tool "$home/.local/share/pipx/venvs/app/bin/pipe"
  : >"$home/.local/share/pipx/venvs/app/pyvenv.cfg"
  tool "$home/.local/share/one/single"
  mkdir -p "$home/.local/bin"
  ln -s ../share/pipx/venvs/app/bin/pipe ../share/one/single "$home/.local/bin/"
  tool "$home/scripts/private"
  for file in .cargo/credentials.toml .npmrc .config/gh/hosts.yml .local/share/keyrings/login .local/share/one/token; do
    mkdir -p "$(dirname -- "$home/$file")"
    echo sesame >"$home/$file"
  done
  PATH=$home/.pyenv/shims:$home/.cargo/bin:$home/.nvm/versions/node/v1/bin:$home/.local/bin:$home/scripts:$PATH
  run sandbox --home "$W/home" -- bash -c 'snake; crab; knot; pipe; single; echo "$PYENV_ROOT $RUSTUP_HOME"; type -P private'
  assert_equal "$output" "snake"$'\n'"crab"$'\n'"knot"$'\n'"pipe"$'\n'"single"$'\n'"$home/.pyenv $home/.rustup"
  run sandbox --home "$W/home" -- grep -rs sesame "$home"
  assert_equal "$output" ''
  run sandbox -- touch "$home/.pyenv/new"
  assert_status 1
}

@test "a virtual environment brings the Python that it was made from" {
  local real=$PLACE/home/.python/3.99
  tool "$real/bin/python3"
  mkdir -p "$real/lib/python3.99" "$PLACE/venv/bin"
  ln -s "$real/bin/python3" "$PLACE/venv/bin/python3"
  printf 'home = %s\nversion = 3.99\n' "$real/bin" >"$PLACE/venv/pyvenv.cfg"
  PATH=$PLACE/venv/bin:$PATH run sandbox -- python3
  assert_equal "$output" python3
}

@test "signals that the caller ignores have their default action inside" {
  local mode
  for mode in required off; do
    run env ORKESTRA_SANDBOX="$mode" bash -c '
      trap "" PIPE INT HUP TERM
      exec "$1" -- bash -c "yes | head -n 1 >/dev/null; echo \${PIPESTATUS[0]}"' bash "$SCRIPTS/SAFETY/sandbox.sh"
    assert_equal "$mode $output" "$mode 141"
  done
}
