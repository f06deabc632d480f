# shellcheck shell=bash
# Summary: without a sandbox, nobody wrote the framework or its settings while the agent was at work

use SAFETY/walls

validator::framework() {
  local file stamp=$VALIDATE_TICKET/stamp
  local -a places=() changed
  ! has_walls || return 0
  if [[ ! -f $stamp ]]; then
    wrong "$stamp is gone: whether the framework is unchanged cannot be said"
    return
  fi
  for file in "$ORKESTRA_SCRIPTS" "${ORKESTRA_ROOT:-}/bin" "${ORKESTRA_ROOT:-}/orkestra_shim" \
    "${ORKESTRA_CONFIG:-}/settings.env" "${ORKESTRA_CONFIG:-}/api-keys.env" "${ORKESTRA_CONFIG:-}/agents"; do
    [[ $file != /* || ! -e $file ]] || places+=("$file")
  done
  # The time of the last change of the inode: setting a file's own time back does not hide a write. A folder changes
  # when something in it is deleted; Python's own folders also when it caches what it compiled.
  mapfile -d '' -t changed < <(find "${places[@]}" -name __pycache__ -prune \
    -o \( ! -type d -o ! -path '*/orkestra_shim*' \) -newercm "$stamp" -print0 || true)
  for file in "${changed[@]:0:10}"; do wrong "written while the agent was at work: $file"; done
}
