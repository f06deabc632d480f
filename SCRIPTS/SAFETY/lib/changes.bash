# shellcheck shell=bash
# What a change changes, from the NUL-separated output of `git diff-tree -r -z --raw BASE TREE`.

CHANGE_STATUS=() CHANGE_OLD_MODE=() CHANGE_MODE=() CHANGE_OBJECT=() CHANGE_PATH=()

# changes::read FILE: fills the lists, one element for each path.
changes::read() {
  local -a fields
  local i head old_mode mode old object status
  [[ -r $1 ]] || die "$EX_DATA" "cannot read the list of changes $1"
  mapfile -d '' -t fields <"$1"
  for ((i = 0; i < ${#fields[@]}; i += 2)); do
    head=${fields[i]}
    [[ $head =~ ^:([0-7]{6})\ ([0-7]{6})\ ([0-9a-f]{40,64})\ ([0-9a-f]{40,64})\ ([ACDMRTUX])[0-9]*$ ]] \
      || die "$EX_DATA" "this is no list of changes: $1"
    old_mode=${BASH_REMATCH[1]} mode=${BASH_REMATCH[2]} old=${BASH_REMATCH[3]} object=${BASH_REMATCH[4]}
    status=${BASH_REMATCH[5]}
    if [[ $status == [RC] ]]; then
      # A rename touches two places.
      [[ $status == C ]] || changes::_add D "$old_mode" 000000 "${old//?/0}" "${fields[i + 1]}"
      ((++i))
    fi
    changes::_add "$status" "$old_mode" "$mode" "$object" "${fields[i + 1]}"
  done
}

changes::_add() {
  CHANGE_STATUS+=("$1") CHANGE_OLD_MODE+=("$2") CHANGE_MODE+=("$3") CHANGE_OBJECT+=("$4") CHANGE_PATH+=("$5")
}

# changes::shown VAR PATH: PATH for a line of evidence; long and odd names are cut and escaped.
changes::shown() {
  local _path=$2
  ((${#_path} <= 200)) || _path="${_path:0:200}..."
  printf -v "$1" '%q' "$_path"
}
