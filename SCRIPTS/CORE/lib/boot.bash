# shellcheck shell=bash
# The one file that every command of SCRIPTS sources first.
#
# It gives: strict mode, ORKESTRA_SCRIPTS (the absolute path of SCRIPTS, exported), the loader `use`, the exit codes
# and `die` of error.bash, and one ERR trap, so that a failure nobody expected is one clear line and exit 70.
#
# Sourced a second time it does nothing. Needs Bash 5.1 (inherit_errexit, wait -n -p, EPOCHREALTIME) and says so.

if [[ $OSTYPE != linux* ]]; then
  printf 'orkestra: it runs on Linux only: there is no bubblewrap, flock or setpriv on %s; nothing was done\n' "$OSTYPE" >&2
  exit 69
fi
if ((BASH_VERSINFO[0] < 5 || (BASH_VERSINFO[0] == 5 && BASH_VERSINFO[1] < 1))); then
  printf 'orkestra: Bash 5.1 or newer is needed, this is %s\n' "$BASH_VERSION" >&2
  exit 78
fi

# A program that a shell of ours reads (beside.bash) has been booted already.
! declare -F boot::_locate >/dev/null || return 0

set -Eeuo pipefail
shopt -s inherit_errexit

# Where SCRIPTS is, from this file's own path; without a fork when the path is already absolute.
boot::_locate() {
  local here=${BASH_SOURCE[0]%/*}
  case $here in
    /*/../../CORE/lib) here=${here%/*/*/../../CORE/lib} ;;
    /*/../CORE/lib) here=${here%/*/../CORE/lib} ;;
    /*/CORE/lib) here=${here%/CORE/lib} ;;
    *) here=$(cd -- "$here/../.." && pwd -P) ;;
  esac
  ORKESTRA_SCRIPTS=$here
  export ORKESTRA_SCRIPTS
}

# use NAME...: loads CORE/lib/NAME.bash, or AREA/lib/NAME.bash for AREA/NAME. Each file is loaded once.
declare -gA BOOT_LOADED=()
use() {
  local name file
  for name in "$@"; do
    [[ -z ${BOOT_LOADED[$name]:-} ]] || continue
    case $name in
      */*) file=$ORKESTRA_SCRIPTS/${name%%/*}/lib/${name#*/}.bash ;;
      *) file=$ORKESTRA_SCRIPTS/CORE/lib/$name.bash ;;
    esac
    BOOT_LOADED[$name]=1
    # shellcheck source=/dev/null
    source "$file"
  done
}

boot::_locate
use error
