# shellcheck shell=bash
# Folders that start empty, whatever an agent left in their place.

# fresh::remove PATH...: removes them without following a link in them. `rm` descends by open folders, not by names;
# where it cannot (folders without permissions), they are opened first, chmod -R following no link that it meets.
fresh::remove() {
  local path there=()
  for path in "$@"; do
    if [[ -e $path || -L $path ]]; then there+=("$path"); fi
  done
  ((${#there[@]})) || return 0
  rm -rf --one-file-system -- "${there[@]}" 2>/dev/null && return 0
  for path in "${there[@]}"; do
    [[ -L $path || ! -d $path ]] || chmod -R u+rwX -- "$path" 2>/dev/null || : # what cannot be changed is met again by rm, which says so
  done
  rm -rf --one-file-system -- "${there[@]}" \
    || die "$EX_CANNOT_WRITE" "cannot remove ${there[*]}" "see what holds it, then remove it by hand"
}

# fresh::folder PATH...: each PATH is an empty folder that only this user can enter.
fresh::folder() {
  fresh::remove "$@"
  # shellcheck disable=SC2174  # the folders above are there, or are nobody's secret
  mkdir -m 700 -p -- "$@" || die "$EX_CANNOT_WRITE" "cannot make $1" "see the owner and rights of its folder, and the space left"
}
