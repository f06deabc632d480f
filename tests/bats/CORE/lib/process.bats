#!/usr/bin/env bats
# CORE/lib/process.bash: children in their own group, that die with their parent and can be told to stop.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  mkdir -p SCRIPTS/CORE
  ln -s "$SCRIPTS/CORE/lib" SCRIPTS/CORE/lib
}

# a_command TEXT: an executable of ours with the boot file and process.bash; prints its path.
a_command() {
  local file=$PLACE/SCRIPTS/CORE/command.sh
  {
    printf '#!/usr/bin/env bash\nsource "%s"\nuse process\n' '${BASH_SOURCE[0]%/*}/lib/boot.bash'
    printf '%s\n' "$1"
  } >"$file"
  chmod +x "$file"
  printf '%s\n' "$file"
}

# gone PID: the process ends within PATIENCE.
gone() {
  timeout "$PATIENCE" tail --pid="$1" -f /dev/null
}

@test "the exit status of a child is handed on" {
  run -7 "$(a_command 'process::run status bash -c "exit 7"; exit "$status"')"
}

@test "a signal while waiting does not end the wait" {
  file=$(a_command 'process::forward; trap : USR1; process::start bash -c "echo up >up; read -r _ <go; exit 9"
    process::wait status; exit "$status"')
  mkfifo up go
  "$file" &
  parent=$!
  read -r _ <up
  kill -USR1 "$parent"
  kill -USR1 "$parent"
  echo >go
  status=0
  wait "$parent" || status=$?
  # Bash may lose the status of a child that ends just when a signal comes; it is never taken for a success.
  [[ $status == 9 || $status -gt 128 ]]
}

@test "a child that ends while signals rain is never taken for a success" {
  file=$(a_command 'process::forward; trap : USR1
    for ((i = 0; i < 40; ++i)); do
      process::start bash -c "kill -USR1 $$; exit 9"
      process::wait status
      ((status == 9 || status > 128)) || exit 1
    done')
  run -0 "$file"
}

@test "a child dies with its parent, even by KILL" {
  file=$(a_command 'process::start bash -c "echo \$\$ >child; exec sleep 1000"; process::wait status')
  mkfifo child
  "$file" &
  parent=$!
  # shellcheck disable=SC2094  # a FIFO
  read -r child <child
  kill -KILL "$parent"
  gone "$child"
}

@test "told to stop, it tells the child's whole group and waits for it" {
  file=$(a_command 'process::forward; process::start bash -c "trap \"echo told >told; exit 3\" TERM; sleep 1000 & echo \$! >pids; wait"
    process::wait status; exit "$status"')
  mkfifo pids
  "$file" &
  parent=$!
  read -r grandchild <pids
  kill -TERM "$parent"
  status=0
  wait "$parent" || status=$?
  [[ $status == 3 && $(<told) == told ]]
  gone "$grandchild"
}

@test "shielded, neither this process nor its child is told" {
  file=$(a_command 'process::forward; process::shield; process::start bash -c "echo up >up; read -r _ <go; exit 5"
    process::wait status; echo "${PROCESS_STOPPING:-no}" >stopping; exit "$status"')
  mkfifo up go
  "$file" &
  parent=$!
  read -r _ <up
  kill -TERM "$parent" -- "-$(pgrep -P "$parent")"
  echo >go
  status=0
  wait "$parent" || status=$?
  [[ $status == 5 && $(<stopping) == no ]]
}

@test "an unexpected failure is one line and exit 70, with the place only when asked" {
  file=$(a_command 'false')
  run -70 "$file"
  [[ ${#lines[@]} == 2 && $output != *line* ]]
  ORKESTRA_DEBUG=1 run -70 "$file"
  [[ $output == *command.sh:4* ]]
}

@test "die says what is wrong and what to do, and ends with its code" {
  run -65 "$(a_command 'die "$EX_DATA" "the file is bad" "mend it"')"
  [[ $output == $'orkestra: the file is bad\n  mend it' ]]
}

@test "a short program that a stop took away before it was deaf to it is begun again, once" {
  cat >once.sh <<'END'
if [[ ! -e begun ]]; then
  touch begun
  kill -USR1 "$$"
fi
kill -TERM "$$"
echo "to its end"
END
  run -0 "$(a_command 'trap : USR1; process::answer said bash once.sh; printf "%s, " "$said"; rm begun; process::to_its_end bash once.sh')"
  [[ $output == "to its end, to its end" ]]
  run -138 "$(a_command "trap - ERR; trap : USR1; process::to_its_end bash -c 'kill -USR1 \$\$'")"
  run -3 "$(a_command 'trap - ERR; process::answer said bash -c "exit 3"')"
}
