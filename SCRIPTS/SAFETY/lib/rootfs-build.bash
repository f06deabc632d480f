# shellcheck shell=bash
# Working out what every sandbox of a run has in common. Slow beside reading it back (rootfs.bash), so loaded only
# when there is nothing to read.

use SAFETY/bubblewrap SAFETY/toolchains

# Where programs live on every system; all of it is read-only inside.
readonly ROOTFS_SYSTEM=(/usr /bin /sbin /lib /lib32 /lib64 /libx32 /etc /opt /nix/store /gnu/store)
# An upper bound for what a command can keep in memory as files, in bytes.
readonly ROOTFS_TMP_SIZE=2147483648 ROOTFS_SMALL_SIZE=268435456

# rootfs::build: works everything out and puts it into the cache.
rootfs::build() {
  bubblewrap::probe
  rootfs::_programs
  toolchains::collect
  rootfs::_arguments
  rootfs::_network
  [[ -n ${ORKESTRA_RUNTIME:-} && -d $ORKESTRA_RUNTIME && -w $ORKESTRA_RUNTIME ]] || return 0
  rootfs::_keep "$ORKESTRA_RUNTIME/sandbox-base"
}

rootfs::_programs() {
  if ! { ROOTFS_SETPRIV=$(type -P setpriv) && ROOTFS_TIMEOUT=$(type -P timeout) && ROOTFS_ENV_PROGRAM=$(type -P env); }; then
    die "$EX_UNAVAILABLE" "setpriv, timeout or env is not on PATH" "install util-linux and coreutils"
  fi
}

# The file: the key, seven single values, the lengths of two lists, then the three lists one after the other.
rootfs::_keep() {
  local key
  rootfs::_key key
  printf '%s\0' "$key" "$ROOTFS_BWRAP" "$ROOTFS_REASON" "$ROOTFS_CURE" "$ROOTFS_PATH" \
    "$ROOTFS_SETPRIV" "$ROOTFS_TIMEOUT" "$ROOTFS_ENV_PROGRAM" "${#ROOTFS_ENV[@]}" \
    "${#ROOTFS_NET_ARGS[@]}" ${ROOTFS_ENV[@]+"${ROOTFS_ENV[@]}"} ${ROOTFS_NET_ARGS[@]+"${ROOTFS_NET_ARGS[@]}"} \
    "${ROOTFS_ARGS[@]}" 2>/dev/null >"$1.$$" \
    || die "$EX_CANNOT_WRITE" "cannot write $1" "see the space left on its disk, then start again"
  mv -f -- "$1.$$" "$1"
}

rootfs::_arguments() {
  local path
  local -a split
  ROOTFS_ARGS=(--unshare-pid --unshare-ipc --unshare-uts --unshare-cgroup-try --die-with-parent --cap-drop ALL)
  for path in "${ROOTFS_SYSTEM[@]}"; do
    if [[ -L $path ]]; then
      ROOTFS_ARGS+=(--symlink "$(readlink -- "$path")" "$path")
    elif [[ -e $path ]]; then
      ROOTFS_ARGS+=(--ro-bind "$path" "$path")
    fi
  done
  ROOTFS_ARGS+=(--proc /proc --dev /dev --dev-bind /dev/null /dev/tty
    --perms 1777 --size "$ROOTFS_SMALL_SIZE" --tmpfs /dev/shm
    --perms 1777 --size "$ROOTFS_TMP_SIZE" --tmpfs /tmp
    --symlink ../tmp /var/tmp --size "$ROOTFS_SMALL_SIZE" --tmpfs /run --symlink ../run /var/run --remount-ro /dev)
  rootfs::_hide_private
  ((EUID != 0)) || rootfs::_as_root
  for path in "${TOOLCHAIN_BINDS[@]}"; do ROOTFS_ARGS+=(--ro-bind-try "$path" "$path"); done
  IFS=: read -r -d '' -a split <<<"${ORKESTRA_SANDBOX_READ:-}:" || true
  for path in "${split[@]}"; do
    path=${path%$'\n'}
    ! is_plain_absolute "$path" || ROOTFS_ARGS+=(--ro-bind-try "$path" "$path")
  done
  # Last: keys do not come along with a folder around them.
  rootfs::_hide_configuration
}

# Homes and the framework's own places that lie inside a system folder (/opt/orkestra, a service's /usr/local/x).
rootfs::_hide_private() {
  local path root
  for path in "${HOME:-}" ~ "${ORKESTRA_HOME:-}" "${ORKESTRA_CONFIG:-}" "${ORKESTRA_LOGS:-}" "${ORKESTRA_PROJECTS:-}" \
    "${ORKESTRA_PROJECT:-}" "${ORKESTRA_WORKSPACES:-}"; do
    [[ -d $path ]] || continue
    path=$(realpath -- "$path")
    for root in "${ROOTFS_SYSTEM[@]}"; do
      [[ $path != "$root"/* ]] || ROOTFS_ARGS+=(--tmpfs "$path")
    done
  done
}

rootfs::_hide_configuration() {
  local path i
  path=${ORKESTRA_CONFIG:-}
  [[ -n $path && -d $path ]] || return 0
  for ((i = 0; i + 2 < ${#ROOTFS_ARGS[@]}; ++i)); do
    [[ ${ROOTFS_ARGS[i]} == --ro-bind-try && $path/ == "${ROOTFS_ARGS[i + 2]%/}"/* ]] || continue
    ROOTFS_ARGS+=(--tmpfs "$path")
    return 0
  done
}

# Root inside without capabilities is still uid 0 to the files' modes: what only root may read is covered, and the
# kernel's settings are read-only (a write to core_pattern would be code on the machine; bubblewrap itself covers
# sysrq-trigger, irq and bus).
rootfs::_as_root() {
  local path writable
  local -a private
  ROOTFS_ARGS+=(--ro-bind /proc/sys /proc/sys)
  for path in /proc/acpi /proc/asound /proc/driver /proc/dynamic_debug /proc/fs /proc/scsi; do
    writable=$(find "$path" -type f -perm /222 -print -quit 2>/dev/null || true) # some of these folders are not there
    [[ -z $writable ]] || ROOTFS_ARGS+=(--ro-bind "$path" "$path")
  done
  mapfile -d '' -t private < <(find /etc /usr/local/etc \
    \( -type d ! -perm -o=rx -o -type f -size +0 ! -perm -o=r \) -print0 -prune 2>/dev/null || true) # what cannot be read is hidden anyway
  for path in "${private[@]}"; do
    if [[ -d $path ]]; then
      ROOTFS_ARGS+=(--perms 0755 --tmpfs "$path")
    else
      ROOTFS_ARGS+=(--ro-bind-try /dev/null "$path")
    fi
  done
}

# resolv.conf is often a link into /run, which is empty inside.
rootfs::_network() {
  local target
  ROOTFS_NET_ARGS=()
  [[ -L /etc/resolv.conf ]] || return 0
  target=$(readlink -f -- /etc/resolv.conf) || return 0
  case $target in
    /usr/* | /etc/* | /opt/*) ;;
    *) ROOTFS_NET_ARGS=(--ro-bind-try "$target" "$target") ;;
  esac
}
