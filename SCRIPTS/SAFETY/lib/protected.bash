# shellcheck shell=bash
# What judges or instructs agents: the rules of protected.tsv, and the programs that the check runs.

PROTECTED_KINDS=() PROTECTED_PATTERNS=() # the table
PROTECTED_PROGRAMS=()                    # paths that the check executes
PROTECTED_ALLOWED=()                     # the task's allow_paths
# Words after which the next one is a program or a script.
readonly PROTECTED_RUNNERS='sh|bash|dash|zsh|python|python3|node|ruby|perl|php|deno|bun|Rscript|source|.|exec|env|time|timeout|make|pytest|npx'

protected::load() {
  local row
  local -a rows
  mapfile -t rows <"$ORKESTRA_SCRIPTS/SAFETY/lib/protected.tsv"
  for row in "${rows[@]}"; do
    [[ $row == [!#]*$'\t'* ]] || continue
    PROTECTED_KINDS+=("${row%%$'\t'*}") PROTECTED_PATTERNS+=("${row#*$'\t'}")
  done
}

# protected::read_check FILE: the programs in the check's command, as paths in the tree. A file that it merely looks at
# (`test -s src/index.html`) is what the task is about.
protected::read_check() {
  local text word runs=1
  local -a words
  [[ -s ${1:-} ]] || return 0
  text=$(<"$1")
  text=${text//$'\n'/ ; }
  text=${text//;/ ; }
  text=${text//&&/ ; }
  text=${text//|/ ; }
  text=${text//[()\"\']/ }
  read -r -d '' -a words <<<"$text" || true
  for word in "${words[@]}"; do
    case $word in
      ';' | '{' | '!' | if | then | do | else | while) runs=1 && continue ;;
      *=* | -*) continue ;;
    esac
    [[ -z $runs ]] || PROTECTED_PROGRAMS+=("${word#./}")
    runs=''
    [[ ! ${word##*/} =~ ^($PROTECTED_RUNNERS)$ ]] || runs=1
  done
}

# protected::kind VAR PATH [STATUS]: true when PATH is protected; VAR says as what. A program that the check runs and
# that was not there before is part of the task.
protected::kind() {
  local _i _path=$2
  for _i in "${!PROTECTED_KINDS[@]}"; do
    # shellcheck disable=SC2053  # a pattern is meant
    [[ /$_path == ${PROTECTED_PATTERNS[_i]} ]] || continue
    printf -v "$1" '%s' "${PROTECTED_KINDS[_i]}"
    return 0
  done
  [[ ${3:-} != A ]] || return 1
  for _i in "${PROTECTED_PROGRAMS[@]}"; do
    [[ $_path == "$_i" ]] || continue
    printf -v "$1" 'run by the check'
    return 0
  done
  return 1
}

# protected::agreed VAR PATH: a pattern of allow_paths names PATH; VAR gets the pattern.
protected::agreed() {
  local _pattern _literal _kind
  for _pattern in "${PROTECTED_ALLOWED[@]}"; do
    glob::matches "$_pattern" "$2" || continue
    glob::literal _literal "$_pattern"
    [[ -n $_literal ]] || continue
    # A folder counts when what lies in it is protected.
    if protected::kind _kind "$_literal" || protected::kind _kind "${_literal%/}/x"; then
      printf -v "$1" '%s' "$_pattern"
      return 0
    fi
  done
  return 1
}
