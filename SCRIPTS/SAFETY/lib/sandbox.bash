# shellcheck shell=bash
# What sandbox.sh does, for a process that is to become the command: see the head of sandbox.sh for the options and for
# what the command sees and gets.
#
# The environment is emptied by `exec -c`, whatever it held. What the command shall have goes to bubblewrap as
# arguments; what comes from --env, which may hold keys, through a pipe that nobody else has (--args).

use SAFETY/rootfs

SANDBOX_BINDS=() # bubblewrap's words for the options
SANDBOX_EMPTY=() # files that are to be empty
SANDBOX_PAIRS=() # NAME=VALUE for the command, from --env
SANDBOX_OWN=()   # NAME=VALUE for the command, ours
SANDBOX_HOME='' SANDBOX_CHDIR='' SANDBOX_NET='' SANDBOX_STDIN=/dev/null SANDBOX_LIMIT='' SANDBOX_SECONDS=''
SANDBOX_GROUPS=() SANDBOX_PROCESSES='' SANDBOX_HOLD='' SANDBOX_TTY=''
SANDBOX_COMMAND=()

# sandbox::become OPTIONS... -- COMMAND...: this process becomes the command in its sandbox. With --seconds N it is ended
# after N seconds: TERM to its group, ORKESTRA_GRACE, KILL; 124 means that its time was up. It then dies with its parent
# too. Whoever calls it is a process of its own (a fork), which this ends.
sandbox::become() {
  local parent
  sandbox::_parent parent
  sandbox::_parse "$@"
  sandbox::_close_descriptors
  rootfs::load
  SANDBOX_OWN=("PATH=$ROOTFS_PATH" "HOME=${SANDBOX_HOME:-/}" LANG=C.UTF-8 TERM=dumb SHELL=/bin/bash)
  [[ -z ${USER:-} ]] || SANDBOX_OWN+=("USER=$USER" "LOGNAME=$USER")
  [[ -z ${TZ:-} ]] || SANDBOX_OWN+=("TZ=$TZ")
  [[ -z $SANDBOX_TTY || ! ${TERM:-} =~ ^[A-Za-z0-9._+-]{1,64}$ ]] || SANDBOX_OWN+=("TERM=$TERM")
  # Ours come last: a task cannot set PATH or HOME.
  SANDBOX_OWN=("${ROOTFS_ENV[@]}" "${SANDBOX_OWN[@]}")
  sandbox::_bound
  [[ -n $SANDBOX_TTY ]] || exec <"$SANDBOX_STDIN"
  # shellcheck disable=SC2310  # a predicate
  if sandbox::_has_walls; then sandbox::_walled; else sandbox::_open; fi
}

# What this process may not do, nothing that it becomes or starts may.
sandbox::_bound() {
  local folder all
  for folder in ${SANDBOX_GROUPS[@]+"${SANDBOX_GROUPS[@]}"}; do
    printf 0 >"$folder/cgroup.procs" || die "$EX_CANNOT_WRITE" "cannot enter the control group $folder"
  done
  ulimit -c 0
  [[ -z $SANDBOX_LIMIT ]] || ulimit -f "$(((SANDBOX_LIMIT + 1023) / 1024))"
  [[ -n $SANDBOX_PROCESSES ]] || return 0
  # The kernel counts all that this user has, outside too.
  read -r _ _ _ all _ </proc/loadavg
  ulimit -u "$((SANDBOX_PROCESSES + ${all#*/}))" 2>/dev/null || : # the bound that is there is lower
}

# sandbox::_parent VAR: the pid of our parent as it is now.
sandbox::_parent() {
  local _parent
  read -r _ _ _ _parent _ </proc/self/stat
  printf -v "$1" '%s' "$_parent"
}

sandbox::_parse() {
  while (($# > 0)); do
    case $1 in
      --) shift && break ;;
      --net) SANDBOX_NET=1 && shift && continue ;;
      --tty) SANDBOX_TTY=1 && shift && continue ;;
      --bind)
        (($# > 3)) || die "$EX_USAGE" "sandbox.sh: --bind needs ro or rw, a path, and where it is to be"
        sandbox::_bind "$2" "$3" "$4"
        shift 4
        continue
        ;;
      --rw | --ro | --hide | --home | --chdir | --env | --stdin | --files-limit | --seconds | --group | --processes-limit | --hold)
        (($# > 1)) || die "$EX_USAGE" "sandbox.sh: $1 needs a value"
        ;;
      *) die "$EX_USAGE" "sandbox.sh: unknown option '$1'" "see the head of $ORKESTRA_SCRIPTS/SAFETY/sandbox.sh" ;;
    esac
    sandbox::_option "$1" "$2"
    shift 2
  done
  (($# > 0)) || die "$EX_USAGE" "sandbox.sh: no command after --"
  SANDBOX_COMMAND=("$@")
}

sandbox::_option() {
  case $1 in
    --files-limit)
      error::need_number "$2" --files-limit
      SANDBOX_LIMIT=$2
      return
      ;;
    --seconds)
      error::need_number "$2" --seconds
      SANDBOX_SECONDS=$2
      return
      ;;
    --processes-limit)
      error::need_number "$2" --processes-limit
      SANDBOX_PROCESSES=$2
      return
      ;;
    --hold)
      error::need_number "$2" --hold
      SANDBOX_HOLD=$2
      return
      ;;
    --env)
      sandbox::_read_environment "$2"
      return
      ;;
    --stdin)
      [[ -r $2 ]] || die "$EX_DATA" "sandbox.sh: cannot read --stdin $2"
      SANDBOX_STDIN=$2
      return
      ;;
  esac
  is_plain_absolute "$2" || die "$EX_USAGE" "sandbox.sh: $1 needs an absolute path without . and .., not '$2'"
  [[ $1 == --hide || -e $2 ]] || die "$EX_DATA" "sandbox.sh: there is no $2 for $1"
  case $1 in
    --rw) SANDBOX_BINDS+=(--bind "$2" "$2") ;;
    --ro) SANDBOX_BINDS+=(--ro-bind "$2" "$2") ;;
    --hide) if [[ -f $2 ]]; then SANDBOX_EMPTY+=("$2"); else SANDBOX_BINDS+=(--tmpfs "$2"); fi ;;
    --home)
      SANDBOX_BINDS+=(--bind "$2" "$2")
      SANDBOX_HOME=$2
      ;;
    --chdir) SANDBOX_CHDIR=$2 && return ;;
    --group) SANDBOX_GROUPS+=("$2") && return ;;
  esac
  # A folder that holds the keys never brings them along.
  [[ ${ORKESTRA_CONFIG:-} != "${2%/}"/* ]] || SANDBOX_BINDS+=(--tmpfs "$ORKESTRA_CONFIG")
}

sandbox::_bind() {
  local path word=--ro-bind
  [[ $1 == r[ow] ]] || die "$EX_USAGE" "sandbox.sh: --bind is ro or rw, not '$1'"
  [[ $1 == ro ]] || word=--bind
  for path in "$2" "$3"; do
    is_plain_absolute "$path" || die "$EX_USAGE" "sandbox.sh: --bind needs absolute paths without . and .., not '$path'"
    [[ -d $path ]] || die "$EX_DATA" "sandbox.sh: there is no $path for --bind"
  done
  [[ ${ORKESTRA_CONFIG:-}/ != "${2%/}"/* ]] || die "$EX_DATA" "sandbox.sh: $2 holds the keys, and is not bound elsewhere"
  SANDBOX_BINDS+=("$word" "$2" "$3")
}

sandbox::_read_environment() {
  local pair
  local -a pairs
  [[ -r $1 ]] || die "$EX_DATA" "sandbox.sh: cannot read --env $1"
  mapfile -d '' -t pairs <"$1"
  for pair in ${pairs[@]+"${pairs[@]}"}; do
    # The value may be a key: what is said about a bad entry is its name at most.
    [[ $pair =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || die "$EX_DATA" "sandbox.sh: --env holds an entry that is no NAME=VALUE"
    case ${pair%%=*} in
      LD_* | BASH* | ENV | SHELLOPTS | PS4 | IFS | GLIBC_TUNABLES | GCONV_PATH | _ | EX_* | BOOT_* | ROOTFS_* | SANDBOX_*)
        die "$EX_DATA" "sandbox.sh: the variable ${pair%%=*} may not be passed to a command"
        ;;
      UID | EUID | PPID | GROUPS | FUNCNAME | DIRSTACK)
        die "$EX_DATA" "sandbox.sh: the variable ${pair%%=*} belongs to the shell"
        ;;
    esac
    SANDBOX_PAIRS+=("$pair")
  done
}

# A lock, a pipe to the store: nothing that our caller held open reaches the command.
sandbox::_close_descriptors() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [[ $fd != [012] && $fd != "$SANDBOX_HOLD" && $fd =~ ^[0-9]+$ ]] || continue
    exec {fd}>&-
  done
}

sandbox::_has_walls() {
  [[ ${ORKESTRA_SANDBOX:-auto} != off ]] || return 1
  [[ -n $ROOTFS_REASON ]] || return 0
  [[ ${ORKESTRA_SANDBOX:-auto} == auto ]] || die "$EX_CONFIG" "the sandbox is required, and bubblewrap does not work here: $ROOTFS_REASON" "$ROOTFS_CURE"
  return 1
}

# SANDBOX_BEFORE: what stands before the command where its time is bounded, none of it a process of its own but
# `timeout`, which makes the group and forwards TERM to it. A parent that died before we are tied to it would be missed.
sandbox::_limit() {
  local now
  SANDBOX_BEFORE=()
  sandbox::_parent now
  ((now == parent)) || exit "$EX_INTERNAL"
  [[ -z $SANDBOX_SECONDS ]] || SANDBOX_BEFORE=("$ROOTFS_SETPRIV" --pdeathsig KILL -- "$ROOTFS_TIMEOUT"
    --kill-after="${ORKESTRA_GRACE:-10}" "$SANDBOX_SECONDS")
}

sandbox::_walled() {
  local pair fd path
  local -a words=("${ROOTFS_ARGS[@]}" ${SANDBOX_BINDS[@]+"${SANDBOX_BINDS[@]}"})
  for path in ${SANDBOX_EMPTY[@]+"${SANDBOX_EMPTY[@]}"}; do
    exec {fd}</dev/null
    words+=(--ro-bind-data "$fd" "$path")
  done
  words+=(--remount-ro / --chdir "${SANDBOX_CHDIR:-${SANDBOX_HOME:-/}}")
  if [[ -n $SANDBOX_NET ]]; then words+=(${ROOTFS_NET_ARGS[@]+"${ROOTFS_NET_ARGS[@]}"}); else words+=(--unshare-net); fi
  if [[ -n $SANDBOX_TTY ]]; then
    words+=(--dev-bind /dev/tty /dev/tty)
  elif [[ -t 1 || -t 2 ]]; then
    # A person who calls this by hand in a terminal: the command gets a session of its own.
    words+=(--new-session)
  fi
  if ((${#SANDBOX_PAIRS[@]} > 0)); then
    # shellcheck disable=SC2312  # bubblewrap itself says when it cannot read them
    exec {fd}< <(for pair in "${SANDBOX_PAIRS[@]}"; do printf '%s\0' --setenv "${pair%%=*}" "${pair#*=}"; done)
    words+=(--args "$fd")
  fi
  [[ -z $SANDBOX_HOLD ]] || words+=(--sync-fd "$SANDBOX_HOLD")
  for pair in "${SANDBOX_OWN[@]}"; do words+=(--setenv "${pair%%=*}" "${pair#*=}"); done
  # Whatever signals we or our callers ignore, the command gets them all with their default action.
  words+=(-- env --default-signal)
  # env would take a command whose path holds `=` for a variable.
  [[ ${SANDBOX_COMMAND[0]} != *=* ]] || words+=(/bin/sh -c 'exec "$@"' sh)
  sandbox::_limit
  # bubblewrap dies of TERM at once and takes everything with it, so it must not hear it.
  exec -c "${SANDBOX_BEFORE[@]}" "$ROOTFS_ENV_PROGRAM" --ignore-signal=TERM "$ROOTFS_BWRAP" "${words[@]}" "${SANDBOX_COMMAND[@]}"
}

# SANDBOX_OPEN HOLD COMMAND...: reads NAME=VALUE from descriptor 3, and becomes the command with nothing else in its
# environment, and without the descriptor HOLD.
# shellcheck disable=SC2016  # for the other shell
readonly SANDBOX_OPEN='mapfile -d "" -t SANDBOX_PAIRS <&3
exec 3<&-
SANDBOX_HOLD=$1 && shift
[[ -z $SANDBOX_HOLD ]] || exec {SANDBOX_HOLD}>&-
unset -v PWD OLDPWD SHLVL
for SANDBOX_PAIR in "${SANDBOX_PAIRS[@]}"; do declare -x "$SANDBOX_PAIR"; done
exec "$@"'

sandbox::_open() {
  local fd
  cd -- "${SANDBOX_CHDIR:-${SANDBOX_HOME:-/}}" || exit "$EX_DATA"
  [[ ${SANDBOX_COMMAND[0]} != *=* ]] || SANDBOX_COMMAND=(/bin/sh -c 'exec "$@"' sh "${SANDBOX_COMMAND[@]}")
  # shellcheck disable=SC2312  # it only prints
  exec 3< <(printf '%s\0' ${SANDBOX_PAIRS[@]+"${SANDBOX_PAIRS[@]}"} "${SANDBOX_OWN[@]}")
  sandbox::_limit
  exec -c "${SANDBOX_BEFORE[@]}" "$BASH" --noprofile --norc -c "$SANDBOX_OPEN" sandbox "$SANDBOX_HOLD" \
    "$ROOTFS_SETPRIV" --pdeathsig KILL -- "$ROOTFS_ENV_PROGRAM" --default-signal "${SANDBOX_COMMAND[@]}"
}
