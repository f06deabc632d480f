#!/usr/bin/env bash
# Summary: Runs a command in a bare Debian tree that has this checkout: there a missing install step shows.
# Usage: bare-debian.sh [--keep] SCRIPT-FILE
#   The tree is Debian bookworm, minbase, with git and ca-certificates, entered with pivot_root in mount and PID
#   namespaces of its own (in a chroot bubblewrap cannot work). The machine's settings for apt, pip and npm come along.
#   SCRIPT-FILE is run by the tree's bash as root, in a clone of this checkout at $CLONE (its folder has spaces), with
#   an empty HOME, no terminal, and only the machine's package settings in its environment.
#   The bare tree is kept as a tar file in ${XDG_CACHE_HOME:-~/.cache}/orkestra-test for the next time.
# Options: --keep   leave the tree where it is and say where
# Exit: that of SCRIPT-FILE; 69 such a tree cannot be made here, with the reason.
set -Eeuo pipefail
shopt -s inherit_errexit

HERE=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd -P)
readonly HERE SUITE=bookworm CLONE="/srv/a stranger's clöne"
# shellcheck source=tests/helpers/snapshot.bash
source "$HERE/../helpers/snapshot.bash"
# shellcheck source=tests/helpers/carry.bash
source "$HERE/../helpers/carry.bash"

unavailable() {
  printf 'bare-debian: %s\n' "$1" >&2
  exit 69
}

need() {
  ((EUID == 0)) || unavailable 'needs root'
  local command
  for command in debootstrap unshare pivot_root tar; do
    command -v "$command" >/dev/null || unavailable "$command is not installed"
  done
  unshare --mount --pid --fork true 2>/dev/null || unavailable 'no mount and PID namespaces here'
}

# The mirror that this machine itself uses for the suite, if it uses one; else debootstrap's own default.
find_mirror() {
  apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null \
    | sed -n "s/^$SUITE //p" >"$WORK/mirrors"
  IFS= read -r MIRROR <"$WORK/mirrors" || MIRROR=''
}

make_base() {
  local base=$WORK/base try
  find_mirror
  for try in 1 2 3; do
    rm -rf -- "$base"
    ! debootstrap --variant=minbase --include=git,ca-certificates "$SUITE" "$base" ${MIRROR:+"$MIRROR"} \
      >"$WORK/debootstrap.log" 2>&1 || break
    printf 'bare-debian: debootstrap failed (try %s of 3)\n' "$try" >&2
    tail -n 3 -- "$WORK/debootstrap.log" >&2
    ((try < 3)) || unavailable 'the packages of a bare Debian could not be fetched'
    sleep $((try * 5))
  done
  rm -rf -- "$base"/var/cache/apt/archives/*.deb
  mkdir -p -- "${CACHE%/*}"
  tar -C "$base" --one-file-system -cf "$CACHE.$$" . && mv -- "$CACHE.$$" "$CACHE"
  rm -rf -- "$base"
}

unpack() {
  local cache_home=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}
  CACHE=$cache_home/orkestra-test/bare-$SUITE-$(uname -m).tar
  # Older than four weeks: made anew, so that security updates do not pile up to be fetched each time.
  local stale
  stale=$(find "$CACHE" -mtime +28 2>/dev/null) || stale=missing
  [[ -z $stale ]] || make_base
  mkdir -- "$WORK/tree"
  tar -C "$WORK/tree" -xpf "$CACHE"
}

# Inside the new namespaces, as their first process: mounts, pivot_root, then the script.
enter() {
  local tree=$1 line
  mount --make-rprivate /
  mount --bind -- "$tree" "$tree"
  mount -t proc proc "$tree/proc"
  mount --rbind /dev "$tree/dev"
  mount --rbind /sys "$tree/sys"
  while IFS= read -r -d '' line; do
    mkdir -p -- "$tree$line"
    mount --bind -o ro -- "$line" "$tree$line"
  done <"$WORK/binds"
  cd -- "$tree"
  mkdir -p .old
  pivot_root . .old
  cd /
  umount -l /.old
  local -a environment=()
  mapfile -d '' -t environment </srv/environment
  cd -- "$CLONE"
  exec env -i "${environment[@]}" bash /srv/script </dev/null
}

main() {
  if [[ ${1:-} == --enter ]]; then
    WORK=$2
    enter "$WORK/tree"
  fi
  local keep='' status=0
  if [[ ${1:-} == --keep ]]; then
    keep=1
    shift
  fi
  need
  WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/orkestra-bare.XXXXXX")
  chmod 700 -- "$WORK"
  [[ -n $keep ]] || trap 'rm -rf --one-file-system -- "$WORK"' EXIT
  unpack
  carry::settings "$WORK/tree" "$SUITE" "$WORK/binds" "$WORK/tree/srv/environment"
  printf '%s\0' HOME=/srv/home LC_ALL=C.UTF-8 TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    "CLONE=$CLONE" >>"$WORK/tree/srv/environment"
  mkdir -- "$WORK/tree/srv/home"
  snapshot::make "$WORK/snapshot"
  git clone --quiet --no-hardlinks -- "$WORK/snapshot" "$WORK/tree$CLONE"
  git -C "$WORK/tree$CLONE" remote remove origin
  cp -- "$1" "$WORK/tree/srv/script"
  # In the background and waited for: a signal to this shell must end everything inside, which --kill-child does.
  unshare --mount --pid --fork --kill-child bash "$HERE/bare-debian.sh" --enter "$WORK" &
  trap 'kill -KILL "$!"' INT TERM
  wait "$!" || status=$?
  [[ -z $keep ]] || printf 'bare-debian: the tree is %s\n' "$WORK/tree" >&2
  return "$status"
}

main "$@"
