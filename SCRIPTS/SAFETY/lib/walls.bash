# shellcheck shell=bash
# Does sandbox.sh put walls around a command here and now?

use SAFETY/rootfs

has_walls() {
  case ${ORKESTRA_SANDBOX:-auto} in
    off) return 1 ;;
    required) return 0 ;;
  esac
  rootfs::load
  [[ -z $ROOTFS_REASON ]]
}
