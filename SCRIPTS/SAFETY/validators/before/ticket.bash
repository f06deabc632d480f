# shellcheck shell=bash
# Summary: the ticket names a task, a try, a program and bounds that make sense

validator::ticket() {
  local name value
  local -A value_of=()
  for name in task try adapter timeout check-timeout; do
    value=''
    [[ ! -f $VALIDATE_TICKET/$name ]] || IFS= read -r value <"$VALIDATE_TICKET/$name" || true # no newline at the end
    value_of[$name]=$value
  done
  [[ ${value_of[task]} =~ ^[a-z0-9][a-z0-9._-]{0,63}$ ]] || wrong "no task id: '${value_of[task]}'"
  [[ ${value_of[try]} =~ ^[1-9][0-9]{0,5}$ ]] || wrong "no number of a try: '${value_of[try]}'"
  [[ ${value_of[timeout]} =~ ^[1-9][0-9]{0,8}$ ]] || wrong "no time limit in seconds: '${value_of[timeout]}'"
  [[ ${value_of["check-timeout"]} =~ ^[1-9][0-9]{0,8}$ ]] \
    || wrong "no time limit for the check in seconds: '${value_of["check-timeout"]}'"
  [[ ${value_of[adapter]} == /* && -f ${value_of[adapter]} && -x ${value_of[adapter]} ]] \
    || wrong "the adapter is no program: '${value_of[adapter]}'"
}
