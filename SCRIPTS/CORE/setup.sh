#!/usr/bin/env bash
# Summary: Prepare what Orkestra runs with: system packages that are missing and the Python environment.
# Usage: setup.sh [--yes] ROOT VENV
# Options: --yes   do not ask
# Exit: 0 ready; 69 something is missing that this user cannot install, or was not allowed to be; 73 cannot write
#
# Called by bin/orkestra when VENV is not ready. In a terminal it shows what it would install and asks once; without
# one it goes ahead. What was interrupted is done again: the stamp (VENV/orkestra-requirements.txt) is written last.
# Two at once wait for each other.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use setup

main() {
  local agreed=''
  if [[ ${1:-} == --yes ]]; then
    agreed=1
    shift
  fi
  (($# == 2)) || die "$EX_USAGE" "setup.sh: ROOT and VENV are needed" "see the head of $0"
  # shellcheck disable=SC2034  # for lib/setup.bash
  readonly ROOT=$1 VENV=$2
  export DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
  unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

  setup::lock
  # shellcheck disable=SC2310  # predicates
  {
    ! setup::is_done || return 0 # another one has done it while we waited
    ! setup::is_complete_already || return 0
  }
  setup::find_missing
  if [[ -z $agreed && -t 0 && -t 2 ]]; then
    setup::ask
  fi
  setup::install_packages
  setup::find_python
  setup::need_git
  setup::make_environment
}

main "$@"
