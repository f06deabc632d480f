#!/usr/bin/env bash
# Summary: run one command where it can do no harm (the only place where bubblewrap is called)
# Usage: sandbox.sh [OPTIONS] -- COMMAND [ARG...]
#        sandbox.sh --probe
# Options:
#   --rw PATH, --ro PATH   bound at the same path, writable or not (absolute; may be repeated; in the order given)
#   --hide PATH            an empty folder over PATH
#   --home DIR             bound writable, and HOME
#   --chdir DIR            where the command starts (default: --home, else /)
#   --net                  the machine's network; without it there is none, not even the machine's own loopback
#   --env FILE             NUL-ended NAME=VALUE: all of the environment that enters, besides our own (below)
#   --stdin FILE           default /dev/null
#   --files-limit BYTES    no file may grow larger
#   --probe                exit 0 if bubblewrap works here, else 69 with the reason and the cure; refreshes the cache
# Exit: the command's own; 64 wrong usage; 65 a path or variable that cannot be passed; 78 when ORKESTRA_SANDBOX is
#   `required` and bubblewrap cannot work here
#
# What the command sees: /usr /etc /opt and the like read-only without what only root may read, the toolchains on PATH
# (lib/toolchains.bash), ORKESTRA_SANDBOX_READ, empty /tmp and /run, its own processes, and the options' paths.
# Nothing else: no home, no framework, no project. It gets PATH HOME LANG USER SHELL TERM=dumb, TZ and what names a
# toolchain's place; no descriptor above 2; no capability. It cannot reach our terminal: /dev/tty is /dev/null inside.
# While --net is on, abstract sockets and services on the machine's loopback are in reach.
#
# This script ends in an exec, so that signals and exit status are the command's. bubblewrap dies of TERM at once and
# takes everything with it; it therefore ignores TERM and the command gets it with its default action. It must come to
# the whole process group, which is what `timeout` sends.
#
# ORKESTRA_SANDBOX=off, or `auto` (the default) where bubblewrap cannot work: same paths, environment and limits, no
# walls. What is the same for every call is worked out once (lib/rootfs.bash) and kept in
# $ORKESTRA_RUNTIME/sandbox-base, so that a call costs bubblewrap and one start of Bash.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use SAFETY/rootfs

SANDBOX_BINDS=() # bubblewrap's words for the options
SANDBOX_PAIRS=() # NAME=VALUE for the command
SANDBOX_HOME='' SANDBOX_CHDIR='' SANDBOX_NET='' SANDBOX_STDIN=/dev/null SANDBOX_LIMIT=''
SANDBOX_COMMAND=()
SANDBOX_INHERITED=() # our own environment, NAME=VALUE

main() {
  [[ ${1:-} != --probe ]] || sandbox::probe
  sandbox::parse "$@"
  sandbox::close_descriptors
  rootfs::load
  sandbox::environment
  [[ -z $SANDBOX_LIMIT ]] || ulimit -f "$(((SANDBOX_LIMIT + 1023) / 1024))"
  ulimit -c 0
  exec <"$SANDBOX_STDIN"
  # shellcheck disable=SC2310  # a predicate
  if sandbox::has_walls; then sandbox::walled; else sandbox::open; fi
}

sandbox::probe() {
  use SAFETY/rootfs-build
  rootfs::build
  [[ -n $ROOTFS_REASON ]] || exit "$EX_OK"
  die "$EX_UNAVAILABLE" "bubblewrap does not work here: $ROOTFS_REASON" "$ROOTFS_CURE"
}

sandbox::parse() {
  while (($# > 0)); do
    case $1 in
      --) shift && break ;;
      --net) SANDBOX_NET=1 && shift && continue ;;
      --rw | --ro | --hide | --home | --chdir | --env | --stdin | --files-limit)
        (($# > 1)) || die "$EX_USAGE" "sandbox.sh: $1 needs a value"
        ;;
      *) die "$EX_USAGE" "sandbox.sh: unknown option '$1'" "see the head of ${BASH_SOURCE[0]}" ;;
    esac
    sandbox::option "$1" "$2"
    shift 2
  done
  (($# > 0)) || die "$EX_USAGE" "sandbox.sh: no command after --"
  SANDBOX_COMMAND=("$@")
}

sandbox::option() {
  case $1 in
    --files-limit)
      error::need_number "$2" --files-limit
      SANDBOX_LIMIT=$2
      return
      ;;
    --env)
      sandbox::read_environment "$2"
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
    --hide) SANDBOX_BINDS+=(--tmpfs "$2") ;;
    --home)
      SANDBOX_BINDS+=(--bind "$2" "$2")
      SANDBOX_HOME=$2
      ;;
    --chdir) SANDBOX_CHDIR=$2 && return ;;
  esac
  # A folder that holds the keys never brings them along.
  [[ ${ORKESTRA_CONFIG:-} != "${2%/}"/* ]] || SANDBOX_BINDS+=(--tmpfs "$ORKESTRA_CONFIG")
}

sandbox::read_environment() {
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
sandbox::close_descriptors() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    [[ $fd != [012] && $fd =~ ^[0-9]+$ ]] || continue
    exec {fd}>&-
  done
}

# From here on our own environment is gone; what the command shall have takes its place. No process is started
# between this and the exec. Ours come last: a task cannot set PATH or HOME.
sandbox::environment() {
  local name pair
  local -a own
  own=("PATH=$ROOTFS_PATH" "HOME=${SANDBOX_HOME:-/}" LANG=C.UTF-8 TERM=dumb SHELL=/bin/bash)
  [[ -z ${USER:-} ]] || own+=("USER=$USER" "LOGNAME=$USER")
  [[ -z ${TZ:-} ]] || own+=("TZ=$TZ")
  SANDBOX_MODE=${ORKESTRA_SANDBOX:-auto}
  for name in "${SANDBOX_INHERITED[@]}"; do unset -v "${name%%=*}"; done
  unset -v PWD OLDPWD SHLVL ORKESTRA_SCRIPTS
  for pair in ${SANDBOX_PAIRS[@]+"${SANDBOX_PAIRS[@]}"} ${ROOTFS_ENV[@]+"${ROOTFS_ENV[@]}"} "${own[@]}"; do
    declare -gx "$pair"
  done
}

# What Bash keeps in its environment whatever is unset (exported functions, names such as `a-b`, read-only variables)
# is dropped by starting this script once more without it.
sandbox::without_odd_names() {
  local name
  local -a odd=()
  mapfile -d '' -t SANDBOX_INHERITED </proc/self/environ
  for name in "${SANDBOX_INHERITED[@]}"; do
    name=${name%%=*}
    case $name in
      *[!A-Za-z0-9_]* | [0-9]* | '' | EX_* | ROOTFS_* | TOOLCHAIN_* | BASH* | SHELLOPTS | UID | EUID | PPID) odd+=(-u "$name") ;;
    esac
  done
  ((${#odd[@]} == 0)) || exec env "${odd[@]}" "${BASH_SOURCE[0]}" "$@"
}

sandbox::has_walls() {
  [[ $SANDBOX_MODE != off ]] || return 1
  [[ -n $ROOTFS_REASON ]] || return 0
  [[ $SANDBOX_MODE == auto ]] || die "$EX_CONFIG" "the sandbox is required, and bubblewrap does not work here: $ROOTFS_REASON" "$ROOTFS_CURE"
  return 1
}

sandbox::walled() {
  local -a words=("${ROOTFS_ARGS[@]}" ${SANDBOX_BINDS[@]+"${SANDBOX_BINDS[@]}"} --remount-ro /
    --chdir "${SANDBOX_CHDIR:-${SANDBOX_HOME:-/}}")
  if [[ -n $SANDBOX_NET ]]; then words+=(${ROOTFS_NET_ARGS[@]+"${ROOTFS_NET_ARGS[@]}"}); else words+=(--unshare-net); fi
  # A person who calls this by hand in a terminal: the command gets a session of its own.
  [[ ! -t 1 && ! -t 2 ]] || words+=(--new-session)
  # Whatever signals we or our callers ignore, the command gets them all with their default action.
  words+=(-- env --default-signal)
  # env would take a command whose path holds `=` for a variable.
  [[ ${SANDBOX_COMMAND[0]} != *=* ]] || words+=(/bin/sh -c 'exec "$@"' sh)
  trap '' TERM
  exec "$ROOTFS_BWRAP" "${words[@]}" "${SANDBOX_COMMAND[@]}"
}

sandbox::open() {
  cd -- "${SANDBOX_CHDIR:-${SANDBOX_HOME:-/}}" || exit "$EX_DATA"
  unset -v PWD OLDPWD
  [[ ${SANDBOX_COMMAND[0]} != *=* ]] || SANDBOX_COMMAND=(/bin/sh -c 'exec "$@"' sh "${SANDBOX_COMMAND[@]}")
  exec setpriv --pdeathsig KILL -- env --default-signal "${SANDBOX_COMMAND[@]}"
}

sandbox::without_odd_names "$@"
main "$@"
