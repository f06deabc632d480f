# shellcheck shell=bash
# Summary: without a sandbox, nobody wrote the framework, its settings or another project while the agent was at work

use list SAFETY/walls

# Looked at is the time of the last change of the inode: setting a file's own time back does not hide a write. A folder
# changes when something in it is deleted. What is newer than the stamp was written after the agent had started; the
# stamp itself is held against what this process remembers of it. A look is no wall: it finds what was not hidden well.
validator::framework() {
  local file stamp=$VALIDATE_TICKET/stamp now='' known=$VALIDATE_STAMP
  local -a changed=()
  # shellcheck disable=SC2310  # a predicate
  ! has_walls || return 0
  [[ ! -f $stamp ]] || now=$(stat -c '%i %.Y %.Z' -- "$stamp")
  if [[ -z $now || (-n $known && $known != "$now") ]]; then
    wrong "$stamp is gone or was touched: whether the framework is unchanged cannot be said"
    return
  fi
  # shellcheck disable=SC2310  # what cannot be looked at was not written by this user either
  {
    list::read changed framework::_changed "$stamp" || : # some of it is not for this user to see
    for file in "${changed[@]:0:10}"; do wrong "written while the agent was at work: $file"; done
    list::read changed framework::_others "$stamp" || : # some of it is not for this user to see
    framework::_tell_others "$stamp" "${changed[@]}"
  }
}

# The framework, its Python environment, CONFIG without RUNTIME, and what Git executes in this project.
framework::_changed() {
  local file environment=${ORKESTRA_PYTHON:-} config=${ORKESTRA_CONFIG:-} package=${ORKESTRA_ROOT:-}/orkestra_shim
  local -a places=()
  environment=${environment%/bin/*}
  [[ -d $package ]] || package=${ORKESTRA_ROOT:-} # installed with pip
  for file in "$ORKESTRA_SCRIPTS" "${ORKESTRA_ROOT:-}/bin" "$package" \
    "$config/settings.env" "$config/api-keys.env" "$config/current-project.json" "$config/agents" "$config/templates" \
    "$config"/accounts/*/api-keys.env \
    "${ORKESTRA_GIT_DIR:-}/config" "${ORKESTRA_GIT_DIR:-}/hooks"; do
    [[ $file != /* || ! -e $file ]] || places+=("$file")
  done
  [[ ! -f $environment/pyvenv.cfg ]] || places+=("$environment/pyvenv.cfg" "$environment/bin" "$environment/lib")
  find "${places[@]}" -newercm "$1" -print0 2>/dev/null
}

# Other projects. Git's own notes (the index, that `git status` refreshes, logs, what was fetched) are nobody's harm.
framework::_others() {
  local folder
  local -a places=() elsewhere=()
  mapfile -t elsewhere <<<"${ORKESTRA_ELSEWHERE:-}"
  for folder in "${ORKESTRA_PROJECTS:-/nowhere}"/*/ "${elsewhere[@]}"; do
    folder=${folder%/}
    [[ ! -d $folder || -z ${ORKESTRA_PROJECT:-} || $folder -ef $ORKESTRA_PROJECT ]] || places+=("$folder")
  done
  ((${#places[@]} > 0)) || return 0
  find "${places[@]}" \( -path '*/.git/objects' -o -path '*/.git/logs' -o -path '*/.git/orkestra' -o -path '*/logs/execution' \) \
    -prune -o -newercm "$1" ! -path '*/.git' ! -path '*/.git/index' ! -path '*/.git/*.lock' ! -path '*/.git/*_HEAD' \
    ! -path '*/.git/COMMIT_EDITMSG' ! -path '*/.git/refs/orkestra*' -print0 2>/dev/null
}

# framework::_tell_others STAMP FILE...: those of a project with a run of its own are that run's.
framework::_tell_others() {
  local stamp=$1 file folder lock count=0
  shift
  for file in "$@"; do
    folder=$file
    until [[ -e $folder/.git || $folder == / ]]; do
      folder=${folder%/*}
      folder=${folder:-/}
    done
    lock=$folder/.git/orkestra
    if [[ $lock -nt $stamp ]] || { [[ -e $lock/run.lock ]] && ! flock --nonblock "$lock/run.lock" true; }; then continue; fi
    ((++count <= 10)) || break
    wrong "written while the agent was at work, in another project: $file"
  done
}
