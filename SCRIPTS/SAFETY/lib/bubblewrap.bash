# shellcheck shell=bash
# Does bubblewrap work here, for this user? If not, why, and what to do about it.

# bubblewrap::probe: sets ROOTFS_BWRAP, and ROOTFS_REASON and ROOTFS_CURE where it does not work.
# shellcheck disable=SC2034  # read by rootfs.bash and sandbox.sh
bubblewrap::probe() {
  local said status=0
  ROOTFS_BWRAP='' ROOTFS_REASON='' ROOTFS_CURE=''
  if ! ROOTFS_BWRAP=$(type -P bwrap); then
    ROOTFS_REASON='it is not installed'
    bubblewrap::_install_command ROOTFS_CURE
    return
  fi
  said=$(env -i "$ROOTFS_BWRAP" --unshare-pid --unshare-ipc --unshare-uts --unshare-net --die-with-parent \
    --cap-drop ALL --ro-bind / / --proc /proc --dev /dev --size 4096 --tmpfs /tmp -- \
    /usr/bin/env --default-signal=TERM true 2>&1) || status=$?
  ((status == 0)) || bubblewrap::_explain "${said%%$'\n'*}"
}

bubblewrap::_install_command() {
  local command='install the package "bubblewrap" with your system'\''s package manager'
  if type -P apt-get >/dev/null; then
    command='sudo apt-get install bubblewrap'
  elif type -P dnf >/dev/null; then
    command='sudo dnf install bubblewrap'
  elif type -P pacman >/dev/null; then
    command='sudo pacman -S bubblewrap'
  elif type -P zypper >/dev/null; then
    command='sudo zypper install bubblewrap'
  elif type -P apk >/dev/null; then
    command='sudo apk add bubblewrap coreutils'
  fi
  printf -v "$1" '%s' "$command"
}

# bubblewrap::_setting VAR FILE: the kernel's setting, or nothing.
bubblewrap::_setting() {
  local _value=''
  [[ ! -r $2 ]] || read -r _value <"$2" || true # empty is an answer too
  printf -v "$1" '%s' "$_value"
}

# shellcheck disable=SC2034
bubblewrap::_explain() {
  local said=$1 clone namespaces apparmor
  bubblewrap::_setting clone "${BUBBLEWRAP_SYS:-/proc/sys}/kernel/unprivileged_userns_clone"
  bubblewrap::_setting namespaces "${BUBBLEWRAP_SYS:-/proc/sys}/user/max_user_namespaces"
  bubblewrap::_setting apparmor "${BUBBLEWRAP_SYS:-/proc/sys}/kernel/apparmor_restrict_unprivileged_userns"
  ROOTFS_REASON=${said:-it ended without a word}
  if [[ $namespaces == 0 ]]; then
    ROOTFS_REASON="user namespaces are switched off ($ROOTFS_REASON)"
    ROOTFS_CURE='sudo sysctl -w user.max_user_namespaces=15000   (to keep it: a line in /etc/sysctl.d/)'
  elif [[ $clone == 0 ]]; then
    ROOTFS_REASON="user namespaces are switched off for users ($ROOTFS_REASON)"
    ROOTFS_CURE='sudo sysctl -w kernel.unprivileged_userns_clone=1   (to keep it: a line in /etc/sysctl.d/)'
  elif [[ $apparmor == 1 ]]; then
    ROOTFS_REASON="AppArmor forbids user namespaces to bubblewrap ($ROOTFS_REASON)"
    bubblewrap::_apparmor_profile ROOTFS_CURE
  elif ((EUID == 0)); then
    ROOTFS_CURE='in a container: start it with --privileged, or with --cap-add SYS_ADMIN and an open seccomp profile'
  else
    ROOTFS_CURE='see whether the machine or its container forbids namespaces: unshare --user true'
  fi
}

bubblewrap::_apparmor_profile() {
  local profile
  printf -v profile '%s\n' 'put this into /etc/apparmor.d/bwrap, then: sudo systemctl reload apparmor' \
    '    abi <abi/4.0>,' \
    '    include <tunables/global>' \
    "    profile bwrap $ROOTFS_BWRAP flags=(unconfined) {" \
    '      userns,' \
    '      include if exists <local/bwrap>' \
    '    }'
  printf -v "$1" '%s' "${profile%$'\n'}"
}
