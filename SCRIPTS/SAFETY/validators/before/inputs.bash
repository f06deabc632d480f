# shellcheck shell=bash
# Summary: the task's inputs are there, inside the tree

validator::inputs() {
  local input
  local -a inputs=()
  [[ ! -s $VALIDATE_TICKET/inputs ]] || mapfile -d '' -t inputs <"$VALIDATE_TICKET/inputs"
  for input in "${inputs[@]}"; do
    if [[ -z $input || $input == /* || /$input/ == */../* ]]; then
      wrong "inputs holds '$input': expected a path relative to the project"
    elif [[ ! -e $VALIDATE_WORKSPACE/tree/$input ]]; then
      wrong "the input '$input' does not exist"
    fi
  done
}
