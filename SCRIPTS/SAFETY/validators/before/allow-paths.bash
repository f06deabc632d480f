# shellcheck shell=bash
# Summary: allow_paths are patterns inside the project, and not only of places that no change may touch

use SAFETY/glob SAFETY/paths

validator::allow_paths() {
  local pattern literal why
  local -a patterns=()
  [[ ! -s $VALIDATE_TICKET/allow-paths ]] || mapfile -d '' -t patterns <"$VALIDATE_TICKET/allow-paths"
  for pattern in "${patterns[@]}"; do
    if [[ -z $pattern || $pattern == /* ]]; then
      wrong "allow_paths holds '$pattern': expected a path or pattern relative to the project"
    elif [[ /$pattern/ == */../* ]]; then
      wrong "allow_paths holds '$pattern': it leads out of the project"
    elif ! has_wildcard "$pattern"; then
      # `config/` or `logs` as such are folders with other things in them.
      glob::literal literal "${pattern%/}"
      if [[ $literal != config && $literal != logs ]] && paths::forbidden why "$literal"; then
        wrong "allow_paths holds '$pattern', which no change may touch ($why)"
      fi
    fi
  done
}
