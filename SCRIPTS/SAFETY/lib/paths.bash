# shellcheck shell=bash
# Places in a project that no change may touch, whatever a task allows: Git's own, the project's identity, its queue
# and its records. A name counts as what any file system makes of it: case, trailing dots and spaces, NTFS streams and
# short names, the characters that HFS+ ignores.

# Exactly these, or anything below them.
readonly PATHS_FORBIDDEN=(config/project.json config/task-queue.json logs/voting logs/outcomes logs/execution .gitmodules)
# These must stay folders.
readonly PATHS_FOLDERS=(config logs)
# paths::fold VAR PATH: the name that a forgiving file system sees.
paths::fold() {
  local _path=$2 _part _name=''
  local -a _parts
  if [[ $_path == *[![:ascii:]]* ]]; then paths::_drop_ignored; fi
  _path=${_path//\\//}
  IFS=/ read -r -d '' -a _parts <<<"${_path,,}/" || true
  _parts[-1]=${_parts[-1]%$'\n'}
  for _part in "${_parts[@]}"; do
    _part=${_part%%:*}
    # Trailing dots and spaces go, but `.` and `..` keep their meaning.
    case $_part in
      . | ..) ;;
      *[!.\ ]*[.\ ]) _part=${_part%"${_part##*[!. ]}"} ;;
    esac
    [[ ! $_part =~ ^git~[0-9]+$ ]] || _part=.git
    _name+=/$_part
  done
  _name=${_name%/}
  printf -v "$1" '%s' "${_name#/}"
}

# What HFS+ ignores in a name (U+200C..200F, 202A..202E, 206A..206F, FEFF), as UTF-8 bytes: in the C locale, where
# this runs, a character would be cut in two. Works on paths::fold's _path.
paths::_drop_ignored() {
  local bytes
  # shellcheck disable=SC1083  # brace expansion
  for bytes in $'\xe2\x80'{$'\x8c',$'\x8d',$'\x8e',$'\x8f',$'\xaa',$'\xab',$'\xac',$'\xad',$'\xae'} \
    $'\xe2\x81'{$'\xaa',$'\xab',$'\xac',$'\xad',$'\xae',$'\xaf'} $'\xef\xbb\xbf'; do
    _path=${_path//"$bytes"/}
  done
}

# paths::forbidden VAR PATH: true when PATH is such a place; VAR says which.
paths::forbidden() {
  local _folded _place
  paths::fold _folded "$2"
  case /$_folded/ in
    */.git/*) printf -v "$1" 'inside Git'\''s own folder' && return 0 ;;
    */../* | */./* | *//*) printf -v "$1" 'no plain path' && return 0 ;;
  esac
  for _place in "${PATHS_FORBIDDEN[@]}"; do
    [[ $_folded/ != "$_place"/* ]] || { printf -v "$1" 'protected: %s' "$_place" && return 0; }
  done
  for _place in "${PATHS_FOLDERS[@]}"; do
    [[ $_folded != "$_place" ]] || { printf -v "$1" 'must stay a folder: %s' "$_place" && return 0; }
  done
  return 1
}

# paths::escapes PATH TARGET: a link at PATH to TARGET could lead out of the tree or into .git. Leading `..` are
# counted; a later one is refused, since what it leaves may itself be a link.
paths::escapes() {
  local rest=$2 folder=$1 folded depth
  [[ $rest != /* && -n $rest ]] || return 0
  folder=${folder//[!\/]/}
  depth=${#folder}
  while [[ $rest == ../* || $rest == .. || $rest == ./* ]]; do
    [[ $rest == ./* ]] || ((--depth >= 0)) || return 0
    case $rest in
      ..) rest='' ;;
      *) rest=${rest#*/} ;;
    esac
    while [[ $rest == /* ]]; do rest=${rest#/}; done
  done
  paths::fold folded "$rest"
  [[ /$folded/ == */../* || /$folded/ == */.git/* ]]
}
