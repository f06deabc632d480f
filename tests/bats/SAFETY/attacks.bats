#!/usr/bin/env bats
# What a hostile command tries, each twice: without the sandbox it must succeed (or the test shows nothing), inside it
# must fail. Each runs as whoever runs the tests and, where that is root, once more as an ordinary user.

bats_require_minimum_version 1.5.0
load ../helpers/common

# setup_for WHO: a place that WHO owns and can reach, with everything in it that an attack is after.
setup_for() {
  setup_place
  need_sandbox
  WHO=$1 RUN_AS=()
  VICTIMS=$PLACE/victims
  if [[ $WHO == user ]]; then
    OUTSIDE=$(mktemp -d "${TMPDIR:-/tmp}/orkestra attacks é.XXXXXX")
    VICTIMS=$OUTSIDE/victims
    RUN_AS=(setpriv --reuid nobody --regid "$(id -g nobody)" --clear-groups --)
  fi
  mkdir -p -- "$VICTIMS"/{config,home/.ssh,framework,other,project/.git,runtime} "$VICTIMS/w1"/{tree,home}
  local file
  for file in config/api-keys.env home/.ssh/id_key framework/code.sh other/file project/.git/config descriptor; do
    printf 'sesame\n' >"$VICTIMS/$file"
  done
  chmod 700 "$VICTIMS/runtime"
  if [[ $WHO == user ]]; then
    chmod 755 -- "$OUTSIDE"
    chown -R nobody -- "$VICTIMS"
    "${RUN_AS[@]}" test -x "$SCRIPTS/SAFETY/sandbox.sh" || skip 'nobody cannot read this checkout'
    "${RUN_AS[@]}" "$SCRIPTS/SAFETY/sandbox.sh" --probe || skip 'no sandbox for an ordinary user here'
  fi
  export VICTIMS
}

teardown() {
  if [[ -n ${COMPANION:-} ]]; then
    kill -KILL "$COMPANION" 2>/dev/null || true
    wait "$COMPANION" 2>/dev/null || true
  fi
  [[ -z ${OUTSIDE:-} ]] || rm -rf -- "$OUTSIDE"
}

# attack MODE SCRIPT [OPTION...]: runs SCRIPT as a command would run; its words are in $output.
attack() {
  local mode=$1 script=$2
  shift 2
  printf '%s\0' "VICTIMS=$VICTIMS" "COMPANION=${COMPANION:-}" "PORT=${PORT:-}" >"$VICTIMS/env"
  run "${RUN_AS[@]}" env ORKESTRA_SANDBOX="$mode" ORKESTRA_RUNTIME="$VICTIMS/runtime" ORKESTRA_CONFIG="$VICTIMS/config" \
    HOME="$VICTIMS/home" OUTER_KEY=sesame timeout 60 "$SCRIPTS/SAFETY/sandbox.sh" --rw "$VICTIMS/w1/tree" --home "$VICTIMS/w1/home" \
    --chdir "$VICTIMS/w1/tree" --env "$VICTIMS/env" "$@" -- bash -c "$script"
}

# reads WHO SCRIPT: SCRIPT prints the word outside and not inside.
reads() {
  setup_for "$1"
  attack off "$2"
  assert_output_has sesame
  attack required "$2"
  assert_output_lacks sesame
}

# writes WHO FILE: a line is appended outside and not inside.
writes() {
  setup_for "$1"
  # shellcheck disable=SC2016  # for the attacker's shell
  local script='echo taken >>"$VICTIMS/'$2'"'
  attack required "$script"
  assert_file "$VICTIMS/$2" sesame
  attack off "$script"
  assert_file_has "$VICTIMS/$2" taken
}

another_environment() {
  setup_for "$1"
  "${RUN_AS[@]}" env OTHER_KEY=sesame sleep infinity 3>&- &
  COMPANION=$!
  # shellcheck disable=SC2016
  local script='grep -ohas "OTHER_KEY=sesame" /proc/[0-9]*/environ'
  # The companion is there once its environment shows.
  until grep -qas OTHER_KEY=sesame /proc/[0-9]*/environ; do :; done
  attack off "$script"
  assert_output_has sesame
  attack required "$script"
  assert_output_lacks sesame
}

outer_environment() {
  # shellcheck disable=SC2016
  reads "$1" 'cat /proc/1/environ /proc/$PPID/environ /proc/self/environ 2>/dev/null | tr "\0" "\n" | grep OUTER_KEY'
}

another_process() {
  setup_for "$1"
  "${RUN_AS[@]}" sleep infinity 3>&- &
  COMPANION=$!
  # shellcheck disable=SC2016
  local script='kill -0 $COMPANION && echo reached'
  attack off "$script"
  assert_output_has reached
  attack required "$script"
  assert_output_lacks reached
}

inherited_descriptor() {
  setup_for "$1"
  exec 9<"$VICTIMS/descriptor"
  attack off 'exec 2>/dev/null; cat <&9'
  assert_output_lacks sesame # closed in both modes: the walls are not what keeps it
  run bash -c 'cat <&9'
  assert_output_has sesame
  exec 9<&-
}

network() {
  setup_for "$1"
  need_command python3
  PYTHONUNBUFFERED=1 python3 -c '
import socket
server = socket.create_server(("127.0.0.1", 0))
print("port", server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    client.sendall(b"sesame\n")
    client.close()
' >"$PLACE/server" 3>&- &
  COMPANION=$!
  PORT=$(wait_for_line "$PLACE/server" '^port ')
  PORT=${PORT#port }
  # shellcheck disable=SC2016
  local script='exec 2>/dev/null; exec 5<>/dev/tcp/127.0.0.1/$PORT; cat <&5'
  attack off "$script"
  assert_output_has sesame
  attack required "$script"
  assert_output_lacks sesame
  attack required "$script" --net
  assert_output_has sesame
}

# What is left holds a lock; the lock is free again when it is gone.
daemon() {
  setup_for "$1"
  # shellcheck disable=SC2016
  local script='rm -f up; mkfifo up
    setsid bash -c "trap \"\" TERM HUP INT; exec 8>lock; flock 8; echo \$\$ >pid; echo >up; exec sleep infinity" >/dev/null 2>&1 &
    read -r _ <up'
  attack required "$script"
  assert_status 0
  assert_exists "$VICTIMS/w1/tree/pid"
  flock --timeout "$PATIENCE" "$VICTIMS/w1/tree/lock" true
  attack off "$script"
  COMPANION=$(<"$VICTIMS/w1/tree/pid")
  run flock --nonblock "$VICTIMS/w1/tree/lock" true
  assert_status 1
}

# script gives a terminal and writes down what reaches it, the command line included: the word is put together late.
terminal() {
  setup_for "$1"
  need_command script
  local mode command
  for mode in off required; do
    printf -v command '%q ' "${RUN_AS[@]}" env ORKESTRA_SANDBOX="$mode" "$SCRIPTS/SAFETY/sandbox.sh" -- \
      bash -c 'printf "%s%s" ses ame >/dev/tty'
    SHELL=/bin/bash script -qec "$command </dev/null >/dev/null 2>&1 || true" "$PLACE/typescript.$mode" >/dev/null 2>&1 </dev/null
  done
  assert_file_has "$PLACE/typescript.off" sesame
  assert_file_lacks "$PLACE/typescript.required" sesame
}

# Written back as it is, so that the attack does no harm where it succeeds.
kernel_settings() {
  setup_for "$1"
  # shellcheck disable=SC2016
  local script='exec 2>/dev/null; old=$(</proc/sys/kernel/core_pattern)
    mount -o remount,rw,bind /proc/sys; umount /proc/sys; mount -t proc proc /proc
    { printf "%s\n" "$old" >/proc/sys/kernel/core_pattern; } && echo written'
  attack required "$script"
  assert_output_lacks written
  attack required "unshare --user --map-root-user --mount bash -c ${script@Q}"
  assert_output_lacks written
  run bash -c 'old=$(</proc/sys/kernel/core_pattern); { printf "%s\n" "$old" >/proc/sys/kernel/core_pattern; } && echo written'
  [[ $output == *written* ]] || skip 'the kernel settings of this machine are read-only anyway'
}

remount() {
  setup_for "$1"
  # shellcheck disable=SC2016
  local script='exec 2>/dev/null
    for place in / /usr /etc "$VICTIMS/framework"; do mount -o remount,rw,bind "$place"; mount -o remount,rw "$place"; done
    touch /usr/orkestra-attack /etc/orkestra-attack && echo written'
  attack required "$script" --ro "$VICTIMS/framework"
  assert_output_lacks written
  attack required "unshare --user --map-root-user --mount bash -c ${script@Q}" --ro "$VICTIMS/framework"
  assert_output_lacks written
  assert_missing /usr/orkestra-attack /etc/orkestra-attack
}

shadow() {
  setup_for "$1"
  attack off 'head -c 5 /etc/shadow'
  assert_output_has root:
  attack required 'head -c 5 /etc/shadow'
  assert_output_lacks root:
  attack required 'grep -l "PRIVATE KEY" -rs /etc/ssh /etc/ssl/private; echo end'
  assert_equal "$output" end
}

a_key_within_what_is_bound() {
  setup_for "$1"
  # shellcheck disable=SC2016
  attack required 'cat "$VICTIMS/framework/code.sh"; cat "$VICTIMS/config/api-keys.env"' --ro "$VICTIMS"
  assert_equal "${lines[0]}" sesame
  assert_output_has 'No such file'
}

# an_ordinary_user ATTACK...: the attack once more, by one.
an_ordinary_user() {
  ((EUID == 0)) || skip 'who runs this is an ordinary user already'
  "$1" user "${@:2}"
}

@test "reading the keys" {
  reads self 'cat "$VICTIMS/config/api-keys.env"'
}

@test "reading the keys, by an ordinary user" {
  an_ordinary_user reads 'cat "$VICTIMS/config/api-keys.env"'
}

@test "reading the user's home" {
  reads self 'cat "$VICTIMS/home/.ssh/id_key"'
}

@test "reading the user's home, by an ordinary user" {
  an_ordinary_user reads 'cat "$VICTIMS/home/.ssh/id_key"'
}

@test "reading another's environment" {
  another_environment self
}

@test "reading another's environment, by an ordinary user" {
  an_ordinary_user another_environment
}

@test "reading our own environment through /proc" {
  outer_environment self
}

@test "reading our own environment through /proc, by an ordinary user" {
  an_ordinary_user outer_environment
}

@test "writing framework/code.sh" {
  writes self framework/code.sh
}

@test "writing framework/code.sh, by an ordinary user" {
  an_ordinary_user writes framework/code.sh
}

@test "writing other/file" {
  writes self other/file
}

@test "writing other/file, by an ordinary user" {
  an_ordinary_user writes other/file
}

@test "writing project/.git/config" {
  writes self project/.git/config
}

@test "writing project/.git/config, by an ordinary user" {
  an_ordinary_user writes project/.git/config
}

@test "writing config/api-keys.env" {
  writes self config/api-keys.env
}

@test "writing config/api-keys.env, by an ordinary user" {
  an_ordinary_user writes config/api-keys.env
}

@test "reaching another process" {
  another_process self
}

@test "reaching another process, by an ordinary user" {
  an_ordinary_user another_process
}

@test "using an inherited descriptor" {
  inherited_descriptor self
}

@test "using an inherited descriptor, by an ordinary user" {
  an_ordinary_user inherited_descriptor
}

@test "network" {
  network self
}

@test "network, by an ordinary user" {
  an_ordinary_user network
}

@test "leaving a daemon behind" {
  daemon self
}

@test "leaving a daemon behind, by an ordinary user" {
  an_ordinary_user daemon
}

@test "writing to our terminal" {
  terminal self
}

@test "writing to our terminal, by an ordinary user" {
  an_ordinary_user terminal
}

@test "remounting" {
  remount self
}

@test "remounting, by an ordinary user" {
  an_ordinary_user remount
}

@test "the keys inside a folder that is bound" {
  a_key_within_what_is_bound self
}

@test "the keys inside a folder that is bound, by an ordinary user" {
  an_ordinary_user a_key_within_what_is_bound
}

@test "the kernel's settings, by root" {
  need_root
  kernel_settings self
}

@test "reading what only root may read, by root" {
  need_root
  shadow self
}
