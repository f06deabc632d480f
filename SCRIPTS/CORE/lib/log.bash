# shellcheck shell=bash
# The framework's own log (LOGS/orchestrator.log) and the lines that a person sees.

use text

# log::write LEVEL MESSAGE: one line, time in UTC, with project and process. Appending is one write(2), so that
# several processes do not mix their lines. Without ORKESTRA_LOGS (a script run alone) nothing is written.
log::write() {
  [[ -n ${ORKESTRA_LOGS:-} && -d $ORKESTRA_LOGS ]] || return 0
  local message time
  text::plain message "$2"
  TZ=UTC printf -v time '%(%Y-%m-%dT%H:%M:%SZ)T' -1
  printf '%s %-5s %s[%s] %s\n' "$time" "$1" "${ORKESTRA_PROJECT_NAME:-orkestra}" "$$" "$message" \
    >>"$ORKESTRA_LOGS/orchestrator.log"
}

# say MESSAGE: a line for people, on stdout, without control characters. A reader who has gone (`start | head`, a closed
# terminal) is no reason to stop a night's work: the log has it all.
say() {
  local message
  text::plain message "$1"
  printf '%s\n' "$message" 2>/dev/null || : # as above
}

# warn MESSAGE: a line for people on stderr, and in the log.
warn() {
  local message
  text::plain message "$1"
  printf 'orkestra: %s\n' "$message" >&2
  log::write warn "$1"
}

# say_lines TEXT: the same for several lines.
say_lines() {
  local lines line
  mapfile -t lines <<<"$1"
  for line in "${lines[@]}"; do say "$line"; done
}
