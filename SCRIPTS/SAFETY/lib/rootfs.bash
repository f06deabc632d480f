# shellcheck shell=bash
# shellcheck disable=SC2034  # what is set here is read by sandbox.sh and rootfs-build.bash
# What every sandbox of a run has in common: bubblewrap's words for the system's files, the PATH, and whether
# bubblewrap works here at all. Worked out once, then read from $ORKESTRA_RUNTIME/sandbox-base.

ROOTFS_BWRAP=''    # bubblewrap's absolute path
ROOTFS_REASON=''   # why bubblewrap does not work here; empty: it does
ROOTFS_CURE=''     # what to do about it
ROOTFS_PATH=''     # PATH inside
ROOTFS_ENV=()      # NAME=VALUE of the toolchains
ROOTFS_ARGS=()     # bubblewrap's words
ROOTFS_NET_ARGS=() # those that only a command with network gets
ROOTFS_LOADED=''   # the key that this process has loaded
# Absolute paths: they are started without a PATH.
ROOTFS_SETPRIV='' ROOTFS_TIMEOUT='' ROOTFS_ENV_PROGRAM=''

# is_plain_absolute PATH: starts with /, and has no empty, . or .. part.
is_plain_absolute() {
  [[ $1 == /* && $1/ != *//* && $1/ != */./* && $1/ != */../* ]]
}

# rootfs::load: from the cache when it was made for this user, PATH and settings, else anew; once for a process.
rootfs::load() {
  local file=${ORKESTRA_RUNTIME:+$ORKESTRA_RUNTIME/sandbox-base} key
  local -a kept=()
  rootfs::_key key
  [[ $ROOTFS_LOADED != "$key" ]] || return 0
  [[ -z $file || ! -r $file ]] || mapfile -d '' -t kept <"$file"
  if [[ ${#kept[@]} -gt 10 && ${kept[0]} == "$key" ]]; then
    rootfs::_take "${kept[@]:1}"
  else
    use SAFETY/rootfs-build
    rootfs::build
    [[ ${ORKESTRA_SANDBOX:-auto} != auto || -z $ROOTFS_REASON ]] || rootfs::_warn
  fi
  ROOTFS_LOADED=$key
}

rootfs::_warn() {
  use log
  warn "agents run without a sandbox: $ROOTFS_REASON"
}

rootfs::_key() {
  printf -v "$1" '%s\n' 2 "$EUID" "${HOME:-}" "$PATH" "${ORKESTRA_SANDBOX_READ:-}" "${ORKESTRA_HOME:-}" \
    "${ORKESTRA_CONFIG:-}" "${ORKESTRA_PROJECTS:-}" "${ORKESTRA_PROJECT:-}" "${ORKESTRA_WORKSPACES:-}" \
    "${JAVA_HOME:-}" "${GOROOT:-}" "${DOTNET_ROOT:-}" "${RUSTUP_HOME:-}" "${PYENV_VERSION:-}"
}

rootfs::_take() {
  ROOTFS_BWRAP=$1 ROOTFS_REASON=$2 ROOTFS_CURE=$3 ROOTFS_PATH=$4
  ROOTFS_SETPRIV=$5 ROOTFS_TIMEOUT=$6 ROOTFS_ENV_PROGRAM=$7
  local pairs=$8 net=$9
  shift 9
  ROOTFS_ENV=("${@:1:pairs}")
  ROOTFS_NET_ARGS=("${@:pairs+1:net}")
  ROOTFS_ARGS=("${@:pairs+net+1}")
}
