#!/usr/bin/env bash
# Summary: says what the kernel can hold an agent to here
# Usage: limits.sh probe
# Exit: 0
#   Two lines, `pids TAB FOLDER` and `memory TAB FOLDER`: where a control group with this controller can be made and
#   entered; no folder where it cannot. It is tried, and leaves nothing.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use SAFETY/cgroup

main() {
  [[ $* == probe ]] || die "$EX_USAGE" "usage: limits.sh probe"
  trap cgroup::remove EXIT
  cgroup::make 1 1
  printf '%s\t%s\n' pids "${CGROUP_PIDS%/*}" memory "${CGROUP_MEMORY%/*}"
}

main "$@"
