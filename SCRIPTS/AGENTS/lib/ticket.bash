# shellcheck shell=bash
# The ticket: what the store says of one piece of work, as plain files (one value) and NUL-separated lists.
#
#   adapter timeout                      needed
#   task try agent base-mode             handed to the agent as ORKESTRA_TASK ...
#   env          NAME=VALUE ...          the agent's environment: its own keys and no other
#   credentials  SRC DEST ...            files that are copied into its HOME; DEST is relative to it
#   stale        SRC ...                 of these the ones whose token would end meanwhile
#   binds        MODE SRC DEST ...       workspace.share: MODE is ro or rw
#   tool-read    PATH ...                what the tool needs to see, read-only
#   binary       PATH                    the tool itself; without this file the adapter is asked (probe)
#   sessions     PATTERN ...             where in HOME the tool keeps its session (sessions.bash)
#   session      ID                      the session to go on with, if any; session-stamp is kept with what it leaves

# shellcheck disable=SC2034  # read by spawn.sh
declare -gA TICKET=()
declare -ga TICKET_ENV=() TICKET_CREDENTIALS=() TICKET_STALE=() TICKET_READ=() TICKET_SESSIONS=()

ticket::read() {
  local folder=$1 name value
  [[ -d $folder ]] || die "$EX_USAGE" "${0##*/}: there is no ticket $folder" "see the head of $0"
  for name in adapter timeout task try agent base-mode binary session session-stamp; do
    [[ -f $folder/$name ]] || continue
    value=$(<"$folder/$name")
    TICKET[$name]=$value
  done
  [[ ${TICKET[adapter]:-} == /* && -x ${TICKET[adapter]} && ! -d ${TICKET[adapter]} ]] \
    || die "$EX_UNAVAILABLE" "no adapter: ${TICKET[adapter]:-$folder/adapter is missing}" \
      "see what there is: orkestra agents list"
  [[ ${TICKET[timeout]:-} =~ ^[1-9][0-9]{0,8}$ ]] \
    || die "$EX_DATA" "$folder/timeout: expected a number of seconds, found '${TICKET[timeout]:-}'"
  ticket::_list TICKET_ENV "$folder/env"
  ticket::_list TICKET_CREDENTIALS "$folder/credentials"
  ticket::_list TICKET_STALE "$folder/stale"
  ticket::_list TICKET_READ "$folder/tool-read"
  ticket::_list TICKET_SESSIONS "$folder/sessions"
  ((${#TICKET_CREDENTIALS[@]} % 2 == 0)) || die "$EX_DATA" "$folder/credentials: expected pairs"
}

ticket::_list() {
  [[ -f $2 ]] || return 0
  mapfile -d '' -t "$1" <"$2"
}

# ticket::export: the ticket's environment becomes this shell's (for a probe, in a subshell).
ticket::export() {
  local pair
  for pair in "${TICKET_ENV[@]}"; do
    [[ ! $pair =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || export "${pair?}"
  done
}
