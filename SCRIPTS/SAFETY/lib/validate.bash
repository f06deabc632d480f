# shellcheck shell=bash
# The validators around a task: what validate.sh does, for a worker without a program start. See its head.

use text

VALIDATE_FOUND='' VALIDATE_NAME=''
# shellcheck disable=SC2034  # validators know it
VALIDATE_STAMP='' # what that file is which says when the agent began

# validate::run before|after WORKSPACE TICKET ATTEMPT BASE [ONLY]: VALIDATE_FOUND gets a line for each thing that is
# wrong. With ONLY that validator alone is asked.
validate::run() {
  local file ran='' only=${6:-}
  # shellcheck disable=SC2034  # validators read them
  VALIDATE_WORKSPACE=$2 VALIDATE_TICKET=$3 VALIDATE_ATTEMPT=$4 VALIDATE_BASE=$5
  VALIDATE_FOUND=''
  for file in "$ORKESTRA_SCRIPTS/SAFETY/validators/$1"/*.bash; do
    VALIDATE_NAME=${file##*/}
    VALIDATE_NAME=${VALIDATE_NAME%.bash}
    [[ -z $only || $only == "$VALIDATE_NAME" ]] || continue
    ran=1
    # shellcheck source=/dev/null
    source "$file"
    "validator::${VALIDATE_NAME//-/_}"
  done
  [[ -n $ran ]] || die "$EX_USAGE" "validate.sh: there is no validator '$only' for $1" "see validate.sh list"
}

# wrong TEXT: what a validator found.
wrong() {
  local shown
  text::plain shown "$1"
  VALIDATE_FOUND+="$VALIDATE_NAME: $shown"$'\n'
}
